# Set-up shared by tests/run-demo and tests/run-all; sourced, never run. Every function is idempotent.

# The last words of a command that cannot go on: what is missing, and what to do about it.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# A Rust toolchain, also when rustup put it where this shell does not look.
need_rust() {
  command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  command -v cargo >/dev/null ||
    fail "cargo is not installed; get a Rust toolchain from https://rustup.rs, then run this again"
}

# need_packages PROBE:PACKAGE...  installs the Debian packages whose probe is missing. A probe is a
# command, a file (when it holds a slash), or empty: then dpkg is asked about the package itself.
need_packages() {
  local missing=() entry probe package
  for entry in "$@"; do
    probe=${entry%%:*} package=${entry#*:}
    present "$probe" "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

present() {
  case $1 in
  '') dpkg-query -W -f '${db:Status-Status}\n' "$2" 2>/dev/null | grep -q '^installed$' ;;
  */*) [ -e "$1" ] ;;
  *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

install_packages() {
  local as_root=()
  command -v apt-get >/dev/null || fail "missing: $* (Debian's names); install them, then run this again"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "missing packages; as root: apt-get install --no-install-recommends $*"
    as_root=(sudo)
  fi
  echo "installing $*"
  "${as_root[@]}" apt-get update -qq </dev/null &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
      </dev/null >/dev/null || fail "apt-get could not install: $*"
}

# The virtual environment with the clients people use: impala-shell, impyla, pyhive. Built once.
CLIENTS="${XDG_CACHE_HOME:-$HOME/.cache}/pronk/venv"
need_clients() {
  "$CLIENTS/bin/python" -c 'import impala, pyhive, thrift_sasl' 2>/dev/null &&
    [ -x "$CLIENTS/bin/impala-shell" ] && return
  need_packages :g++ :python3-dev :python3-venv :libkrb5-dev :libsasl2-dev :libsasl2-modules \
    :libsasl2-modules-gssapi-mit
  echo "installing impala-shell, impyla and pyhive in $CLIENTS"
  python3 -m venv "$CLIENTS" || fail "python3 -m venv $CLIENTS failed"
  "$CLIENTS/bin/pip" install --quiet --disable-pip-version-check \
    impala-shell==4.6.0 impyla==0.24.0 pyhive==0.7.0 thrift ||
    fail "pip could not install the clients in $CLIENTS"
}

# The Debian package's maker.
need_cargo_deb() {
  cargo deb --version >/dev/null 2>&1 && return
  cargo install cargo-deb@3.8.0 --locked --quiet || fail "cargo install cargo-deb failed: the package was not tested"
}

# What operators point at a stats socket: socat, and a virtual environment with the library haproxyadmin.
TOOLS="${XDG_CACHE_HOME:-$HOME/.cache}/pronk/tools"
need_tools() {
  need_packages socat:socat
  "$TOOLS/bin/python" -c 'import haproxyadmin' 2>/dev/null && return
  need_packages :python3-venv
  echo "installing haproxyadmin in $TOOLS"
  python3 -m venv "$TOOLS" || fail "python3 -m venv $TOOLS failed"
  "$TOOLS/bin/pip" install --quiet --disable-pip-version-check haproxyadmin==0.2.4 six==1.17.0 ||
    fail "pip could not install haproxyadmin in $TOOLS"
}

# Real HiveServer2 servers: Spark's jars (318 MB), fetched once, and a Java to run them.
need_spark() {
  command -v java >/dev/null || need_packages java:default-jre-headless
  "$CLIENTS/bin/python" -c 'import pyspark' 2>/dev/null && return
  echo "fetching pyspark 3.5.9 (318 MB, once) into $CLIENTS"
  "$CLIENTS/bin/pip" install --quiet --disable-pip-version-check --no-deps pyspark==3.5.9 ||
    fail "pyspark 3.5.9 could not be fetched: the tests against real HiveServer2 servers were not run"
}
