//! The stats page as a person sees it, in real Chromium. Pictures are left in the target directory, under
//! `tmp/browser`.

#[path = "../support/mod.rs"]
mod support;

mod driver;

use driver::Browser;
use serde_json::{Value, json};
use support::echo::Threads;
use support::peer::Peer;
use support::port::Port;
use support::proxy::{Program, Proxy};
use support::server::Server;
use support::stats::{ask, column};
use support::{PATIENCE, wait_for};

/// A page of a gateway with servers in every state.
struct World {
    proxy: Proxy,
    page: Port,
    impala: Port,
    _servers: [Threads; 2],
    _gone: Server,
}

impl World {
    /// `settings` are lines of the page's proxy.
    fn start(settings: &str) -> World {
        let (page, impala) = (Port::reserve(), Port::reserve());
        let (servers, gone) = ([Threads::echo(), Threads::echo()], Server::refusing());
        let config = format!(
            "global\n  stats socket unix@s.sock level admin\n\
             defaults\n  timeout connect 1s\n  timeout client 1m\n  timeout server 1m\n\
             listen web\n  mode http\n  bind 127.0.0.1:{}\n  stats enable\n  stats uri /stats\n{settings}\n\
             frontend in\n  bind 127.0.0.1:{}\n  default_backend impala\n\
             backend impala\n  balance leastconn\n  default-server inter 100ms rise 1 fall 1\n\
             server coordinator-1 127.0.0.1:{up} check\n  server coordinator-2 127.0.0.1:{down} check\n\
             server coordinator-3 127.0.0.1:{up} disabled\n  server coordinator-4 127.0.0.1:{up} weight 0\n\
             server spare 127.0.0.1:{spare} backup\n",
            page.number,
            impala.number,
            up = servers[0].port(),
            down = gone.port(),
            spare = servers[1].port(),
        );
        let proxy = Proxy::start(&Program::Pronk, &config, &[&page, &impala]);
        let world = World { proxy, page, impala, _servers: servers, _gone: gone };
        // The stats socket comes last.
        let checked = || {
            let is = |server, wanted| (world.state(server)? == wanted).then_some(());
            is("coordinator-1", "UP").and(is("coordinator-2", "DOWN"))
        };
        wait_for(PATIENCE, checked).expect("servers are checked");
        world
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.page.number)
    }

    fn status(&self, server: &str) -> String {
        self.state(server).expect("the server's row")
    }

    fn state(&self, server: &str) -> Option<String> {
        let listing = ask(&self.proxy.directory().join("s.sock"), "show stat\n").ok()?;
        column(&listing, ["impala", server], "status").map(str::to_owned)
    }

    /// Clients that stay, each after so many bytes there and back.
    fn traffic(&self, clients: usize, bytes: usize) -> Vec<Peer> {
        let client = |_| {
            let mut peer = Peer::connect(self.impala.address());
            for _ in 0..bytes / 10_000 {
                assert!(peer.send(&[b'x'; 10_000]) && peer.receive(10_000).len() == 10_000);
            }
            peer
        };
        (0..clients).map(client).collect()
    }
}

/// Asks the page again and again until it says true; each time, it may have been loaded anew.
fn comes_true(browser: &Browser, script: &str) -> bool {
    wait_for(PATIENCE, || (browser.run(script) == json!(true)).then_some(())).is_some()
}

const ROWS: &str = "return [...document.querySelectorAll('#impala tbody tr')]
    .map(row => [row.className, row.cells[0].innerText.trim(), row.cells[1].innerText.trim().split(' ')[0]])";

#[test]
fn every_server_has_its_row_and_its_colour() {
    let (world, browser) = (World::start("  stats show-legends"), Browser::start());
    browser.open(&world.url("/stats"));
    assert_eq!(browser.text("h1").split(' ').next(), Some("Pronk"));
    let headings = browser.run("return [...document.querySelectorAll('h2 a')].map(one => one.innerText)");
    assert_eq!(headings, json!(["web", "in", "impala"]));
    let expected = json!([
        ["up", "coordinator-1", "UP"],
        ["down", "coordinator-2", "DOWN"],
        ["maint", "coordinator-3", "MAINT"],
        ["unchecked", "coordinator-4", "no"],
        ["unchecked backup", "spare", "no"],
        ["backend", "Backend", "UP"],
    ]);
    assert_eq!(browser.run(ROWS), expected);
    // The colours of the first three and the last differ, and the legend shows the same ones.
    let colours = browser.run(
        "const colour = one => getComputedStyle(one).backgroundColor;
         const pairs = ['up', 'down', 'maint', 'unchecked'].map(name =>
           [colour(document.querySelector('#impala tr.' + name)), colour(document.querySelector('footer i.' + name))]);
         return [new Set(pairs.map(pair => pair[0])).size, pairs.every(pair => pair[0] === pair[1])]",
    );
    assert_eq!(colours, json!([4, true]));
    assert!(browser.text("#impala tr.down").contains("L4CON"), "what the check found");
    assert_eq!(browser.console(), [""; 0]);
    browser.picture("states");
}

#[test]
fn curves_appear_and_move_without_a_hand_on_the_browser() {
    let (world, browser) = (World::start("  stats refresh 1s"), Browser::start());
    browser.open(&world.url("/stats"));
    browser.run("window.first = true");
    assert!(comes_true(&browser, "return window.first === undefined"), "it loads itself again");
    let held = world.traffic(3, 0);
    let title = |class| {
        let one = format!("#impala tr.up svg.{class} title");
        let script =
            format!("const title = document.querySelector('{one}'); return title && title.textContent");
        browser.run(&script).as_str().map(str::to_owned)
    };
    let reaches = |class, wanted: &dyn Fn(&str) -> bool| {
        let seen = wait_for(2 * PATIENCE, || title(class).filter(|title| wanted(title)));
        assert!(seen.is_some(), "{class}: {:?}", title(class));
    };
    reaches("sessions", &|title| title == "at most 3 sessions at once");
    // The bytes of a session are counted when it ends.
    drop(world.traffic(1, 200_000));
    reaches("bytes", &|title| title.ends_with("KiB/s"));
    let more = world.traffic(4, 0);
    reaches("sessions", &|title| title == "at most 7 sessions at once");
    drop(world.traffic(1, 20_000_000));
    reaches("bytes", &|title| title.ends_with("MiB/s"));
    let shape = browser.run(
        "const [curve, cell] = ['svg.sessions', 'svg.sessions']
           .map(one => document.querySelector('#impala tr.up ' + one).getBoundingClientRect());
         return [curve.width > 40, curve.height > 10]",
    );
    assert_eq!(shape, json!([true, true]), "large enough to be seen");
    assert_eq!(browser.console(), [""; 0]);
    browser.picture("curves");
    browser.prefer("dark");
    browser.picture("curves-dark");
    drop((held, more));
}

/// The worst contrast of text against its background (WCAG 2.2, 1.4.3), and whose it is.
const CONTRAST: &str = "
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = numbers(colour).map(one => one / 255).map(one =>
      one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    const colour = getComputedStyle(one).backgroundColor;
    return numbers(colour)[3] === 0 ? behind(one.parentElement) : colour;
  };
  const texts = [...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()) && one.checkVisibility());
  const ratios = texts.filter(one => !one.closest('svg, option')).map(one => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort();
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.outerHTML.slice(0, 80)];
  });
  return ratios.sort((a, b) => a[0] - b[0])[0]";

#[test]
fn it_reads_well_by_day_and_by_night() {
    let world = World::start("  stats refresh 1m\n  stats admin if TRUE\n  stats show-legends");
    let browser = Browser::start();
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.open(&world.url("/stats;st=DONE"));
        papers.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
        let worst = browser.run(CONTRAST);
        assert!(worst[0].as_f64().is_some_and(|ratio| ratio >= 4.5), "{scheme}: {worst}");
        browser.picture(scheme);
    }
    assert_ne!(papers[0], papers[1]);
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn a_server_is_put_into_maintenance_and_back() {
    let (world, browser) = (World::start("  stats admin if TRUE"), Browser::start());
    browser.open(&world.url("/stats"));
    let choose = |action: &str| {
        browser.click("#impala input[value=coordinator-1]");
        let option = format!("#impala option[value={action}]");
        browser.click(&option);
        assert!(browser.text(&option).starts_with("Set state to "), "{}", browser.text(&option));
        browser.click("#impala button");
    };
    let word = |selector: &str| browser.text(selector);
    choose("maint");
    assert!(word("p.notice").starts_with("Action processed successfully."), "{}", word("p.notice"));
    assert!(browser.url().ends_with("/stats;st=DONE"), "{}", browser.url());
    assert_eq!(world.status("coordinator-1"), "MAINT");
    assert_eq!(browser.run(ROWS)[0], json!(["maint", "coordinator-1", "MAINT"]));
    choose("ready");
    wait_for(PATIENCE, || (world.status("coordinator-1") == "UP").then_some(())).expect("it is back");
    browser.click("p.notice a");
    assert_eq!(browser.run("return document.querySelectorAll('p.notice').length"), json!(0));
    assert_eq!(browser.run(ROWS)[0], json!(["up", "coordinator-1", "UP"]));
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn without_an_account_there_is_no_page() {
    let (world, browser) =
        (World::start("  stats auth admin:secret\n  stats admin if TRUE"), Browser::start());
    let count = || browser.run("return document.querySelectorAll('section').length");
    browser.open(&world.url("/stats"));
    assert_eq!(count(), json!(0));
    browser.open(&world.url("/stats").replace("//", "//admin:wrong@"));
    assert_eq!(count(), json!(0));
    browser.console();
    browser.open(&world.url("/stats").replace("//", "//admin:secret@"));
    assert_eq!(count(), json!(3));
    browser.click("#impala input[value=spare]");
    browser.click("#impala option[value=maint]");
    browser.click("#impala button");
    assert_eq!(world.status("spare"), "MAINT");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn it_fits_a_telephone() {
    let (world, browser) = (World::start("  stats refresh 1m\n  stats admin if TRUE"), Browser::start());
    for mobile in [false, true] {
        browser.resize(400, 800, mobile);
        browser.open(&world.url("/stats"));
        let widths = browser.run(
            "const [page, table] = [document.documentElement, document.querySelector('#impala .scroll')];
             return [innerWidth, page.scrollWidth <= page.clientWidth, table.scrollWidth > table.clientWidth]",
        );
        assert_eq!(widths, json!([400, true, true]), "only the tables scroll");
        // The name of a row stays where it is.
        let left: Value = browser.run(
            "const cell = document.querySelector('#impala tr.up td');
             const before = cell.getBoundingClientRect().left;
             document.querySelector('#impala .scroll').scrollLeft = 500;
             return cell.getBoundingClientRect().left - before",
        );
        assert_eq!(left, json!(0));
    }
    browser.picture("telephone");
}

/// HAProxy's own address of the page ends in a query, which a browser does not send with a form.
#[test]
fn the_filter_works_at_an_address_with_a_query() {
    let (world, browser) = (World::start("  stats uri /haproxy?stats"), Browser::start());
    browser.open(&world.url("/haproxy?stats"));
    browser.write("nav input[name=scope]", "web\u{e007}");
    let names = "return [...document.querySelectorAll('h2 a')].map(one => one.innerText).join() === 'web'";
    assert!(comes_true(&browser, names), "{}", browser.url());
}

#[test]
fn the_filter_and_the_links_keep_what_was_chosen() {
    let (world, browser) = (World::start("  stats refresh 1m"), Browser::start());
    browser.open(&world.url("/stats"));
    let link = |text: &str| {
        let script =
            "const link = [...document.querySelectorAll('nav a')].find(one => one.innerText === 'TEXT');
                      link.click()";
        browser.run(&script.replace("TEXT", text));
    };
    let names = "return [...document.querySelectorAll('h2 a')].map(one => one.innerText).join()";
    browser.write("nav input[name=scope]", "imp\u{e007}");
    let only_impala = names.replace(".join()", ".join() === 'impala'");
    assert!(comes_true(&browser, &only_impala));
    link("Hide servers that are down");
    assert!(comes_true(&browser, "return location.pathname === '/stats;up'"));
    let down = "return document.querySelectorAll('tr.down').length";
    assert_eq!(browser.run(down), json!(0));
    link("Stop refreshing");
    assert!(comes_true(&browser, "return location.pathname === '/stats;up;norefresh'"));
    link("Show servers that are down");
    assert!(comes_true(&browser, "return location.pathname === '/stats;norefresh'"));
    assert_eq!(browser.run(down), json!(1));
    assert!(comes_true(&browser, &only_impala), "the filter has stayed");
    assert_eq!(browser.console(), [""; 0]);
}
