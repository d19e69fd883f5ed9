//! What HAProxy's ACLs can look at and this proxy's cannot: names, so that no such is taken for a typing error
//! (configuration manual, sections 7.3.1 to 7.3.7; `haproxy -dKacl,cnv,smp` lists those of a version).

/// Predefined ACLs.
const ACLS: &str = "\
    HTTP HTTP_1.0 HTTP_1.1 HTTP_2.0 HTTP_3.0 HTTP_CONTENT HTTP_URL_ABS HTTP_URL_SLASH HTTP_URL_STAR METH_CONNECT \
    METH_DELETE METH_GET METH_HEAD METH_OPTIONS METH_POST METH_PUT METH_TRACE RDP_COOKIE REQ_CONTENT WAIT_END";

/// Fetches and ACL keywords.
const FETCHES: &str = "\
    accept_date acl avg_queue base base32 base32+src baseq bc_be_queue bc_dst bc_dst_port bc_err bc_err_str \
    bc_glitches bc_http_major bc_nb_streams bc_rtt bc_rttvar bc_setting_streams_limit bc_src bc_src_port \
    bc_srv_queue be_conn be_conn_free be_connect_timeout be_id be_name be_server_timeout be_sess_rate \
    be_tunnel_timeout bin bool bytes_in bytes_out connslots cook cook_cnt cook_val cookie cpu_calls \
    cpu_ns_avg cpu_ns_tot cur_client_timeout cur_connect_timeout cur_queue_timeout cur_server_timeout \
    cur_tarpit_timeout cur_tunnel_timeout date date_us distcc_body distcc_param dst_conn dst_is_local env \
    fc_dst fc_dst_is_local fc_dst_port fc_err fc_err_str fc_fackets fc_glitches fc_http_major fc_lost \
    fc_nb_streams fc_pp_authority fc_pp_unique_id fc_rcvd_proxy fc_reordering fc_retrans fc_rtt fc_rttvar \
    fc_sacked fc_settings_streams_limit fc_src fc_src_is_local fc_src_port fc_unacked fe_client_timeout \
    fe_conn fe_defbe fe_id fe_name fe_req_rate fe_sess_rate fe_tarpit_timeout hdr hdr_cnt hdr_ip hdr_val \
    hostname http_auth http_auth_bearer http_auth_group http_auth_pass http_auth_type http_auth_user \
    http_first_req int ipv4 ipv6 last_entity last_rule_file last_rule_line lat_ns_avg lat_ns_tot meth \
    method nbproc nbsrv pathq payload payload_lv pid prio_class prio_offset proc query queue rand \
    rdp_cookie rdp_cookie_cnt rep_ssl_hello_type req.body req.body_param req.body_size req.cook \
    req.cook_cnt req.cook_val req.fhdr req.fhdr_cnt req.hdr req.hdr_cnt req.hdr_ip req.hdr_names \
    req.hdr_val req.hdrs req.hdrs_bin req.len req.payload req.payload_lv req.proto_http req.rdp_cookie \
    req.rdp_cookie_cnt req.ssl_alpn req.ssl_ec_ext req.ssl_hello_type req.ssl_sni req.ssl_st_ext \
    req.ssl_ver req.timer.hdr req.timer.idle req.timer.queue req.timer.tq req.ver req_len req_proto_http \
    req_rdp_cookie req_rdp_cookie_cnt req_ssl_hello_type req_ssl_sni req_ssl_ver req_ver request_date \
    res.body res.body_size res.cache_hit res.cache_name res.comp res.comp_algo res.cook res.cook_cnt \
    res.cook_val res.fhdr res.fhdr_cnt res.hdr res.hdr_cnt res.hdr_ip res.hdr_names res.hdr_val res.hdrs \
    res.hdrs_bin res.len res.payload res.payload_lv res.ssl_hello_type res.timer.data res.timer.hdr \
    res.timer.user res.ver resp_ver scook scook_cnt scook_val shdr shdr_cnt shdr_ip shdr_val so_id so_name \
    src_is_local srv_conn srv_conn_free srv_id srv_is_up srv_iweight srv_name srv_queue srv_sess_rate \
    srv_uweight srv_weight ssl_bc ssl_fc status stopping str table_avl table_cnt term_events thread \
    unique-id uptime url url32 url32+src url_ip url_param url_port urlp urlp_val uuid var wait_end waiting_entity";

/// How the names of whole families of fetches begin.
const FAMILIES: [&str; 13] = [
    "bc.",
    "bs.",
    "capture.",
    "fc.",
    "fcgi.",
    "fs.",
    "internal.",
    "ssl_bc_",
    "ssl_c_",
    "ssl_f_",
    "ssl_fc_",
    "ssl_s_",
    "txn.",
];

/// ACL keywords that are one of [`FETCHES`] and a method.
const METHODS: [&str; 7] = ["_beg", "_dir", "_dom", "_end", "_len", "_reg", "_sub"];

/// Before the name of a counter of a stick table.
const TABLES: [&str; 5] = ["sc_", "sc0_", "sc1_", "sc2_", "src_"];

/// Counters of stick tables.
const COUNTERS: &str = "\
    bytes_in_rate bytes_out_rate clr_gpc clr_gpc0 clr_gpc1 conn_cnt conn_cur conn_rate expire get_gpc \
    get_gpc0 get_gpc1 get_gpt get_gpt0 glitch_cnt glitch_rate gpc gpc0 gpc0_rate gpc1 gpc1_rate gpc_rate \
    gpt gpt0 http_err_cnt http_err_rate http_fail_cnt http_fail_rate http_req_cnt http_req_rate idle \
    inc_gpc inc_gpc0 inc_gpc1 kbytes_in kbytes_out key server_id sess_cnt sess_rate tracked trackers \
    updt_conn_cnt";

/// Converters.
const CONVERTERS: &str = "\
    add add_item aes_cbc_dec aes_cbc_enc aes_gcm_dec aes_gcm_enc and b64dec base64 be2dec be2hex bool bytes \
    capture-req capture-res concat cpl crc32 crc32c cut_crlf debug digest div djb2 even field fix_is_valid \
    fix_tag_value hex hex2i hmac host_only htonl http_date iif in_table ipmask json json_query \
    jwt_decrypt_cert jwt_decrypt_jwk jwt_decrypt_secret jwt_header_query jwt_payload_query jwt_verify \
    language le2dec length lower ltime ltrim map mod mqtt_field_value mqtt_is_valid ms_ltime ms_utime mul \
    nbsrv neg not odd or param port_only protobuf regsub rfc7239_field rfc7239_is_site rfc7239_is_valid \
    rfc7239_n2nn rfc7239_n2np rfc7239_nn rfc7239_np rtrim sdbm secure_memcmp set-var sha1 sha2 srv_queue \
    strcmp sub table_glitch_cnt ub64dec ub64enc ungrpc unset-var upper url_dec url_enc us_ltime us_utime \
    utime when word wt6 x509_v_err_str xor xxh3 xxh32 xxh64";

/// Whether it is a predefined ACL there.
pub(super) fn is_acl(name: &str) -> bool {
    names(ACLS, name)
}

/// Whether it is a fetch there, or an ACL keyword.
pub(super) fn is_fetch(name: &str) -> bool {
    let matched = METHODS.iter().find_map(|method| name.strip_suffix(method));
    let counted = TABLES.iter().find_map(|table| name.strip_prefix(table));
    names(FETCHES, name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
        || matched.is_some_and(|fetch| fetch == "path" || names(FETCHES, fetch))
        || counted.is_some_and(|counter| names(COUNTERS, counter))
}

/// Whether it is a converter there.
pub(super) fn is_converter(name: &str) -> bool {
    let counter = name.strip_prefix("table_");
    names(CONVERTERS, name)
        || name.starts_with("map_")
        || counter.is_some_and(|counter| names(COUNTERS, counter))
}

fn names(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_kind_are_known() {
        for fetch in [
            "nbsrv",
            "req.len",
            "req_ssl_sni",
            "hdr",
            "hdr_beg",
            "path_reg",
            "src_conn_rate",
            "sc0_get_gpc0",
            "ssl_fc_sni",
            "txn.timer.total",
        ] {
            assert!(is_fetch(fetch), "{fetch}");
        }
        for wrong in ["nbsrvs", "src_pot", "sc3_conn_cur", "path_begin", "", "_beg"] {
            assert!(!is_fetch(wrong), "{wrong}");
        }
        assert!(["lower", "map_beg", "table_conn_cnt", "ipmask"].iter().all(|name| is_converter(name)));
        assert!(["lowr", "table_x", ""].iter().all(|name| !is_converter(name)));
        assert!(is_acl("WAIT_END") && !is_acl("WAIT"));
    }
}
