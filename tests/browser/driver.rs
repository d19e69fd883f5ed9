//! A real browser: headless Chromium, told what to do by chromedriver (W3C WebDriver; Chromium's own DevTools
//! protocol for the look and the window, which WebDriver has no word for).

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::child::{Killed, Lines, command};
use crate::support::{PATIENCE, wait_for};

/// How long the browser may take for one thing; it starts slowly on a busy machine.
const SLOWNESS: Duration = Duration::from_secs(30);

/// What keeps it to this machine and to one directory, and lets it run as root.
const FLAGS: [&str; 15] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--window-size=1600,1000",
    "about:blank",
];

/// One window of a browser that nobody used before. Both programs end with it.
pub struct Browser {
    session: String,
    driver: u16,
    _driver: Killed,
    chromium: Killed,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Browser {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let (chromium, debugger) = chromium(profile.path());
        let (guard, driver) = chromedriver();
        let options = json!({"debuggerAddress": format!("127.0.0.1:{debugger}")});
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let wanted = json!({"capabilities": {"alwaysMatch": wanted}});
        let answer = exchange(driver, "POST", "/session", &wanted).expect("a session");
        let session = answer["sessionId"].as_str().expect("its name").to_owned();
        Browser { session, driver, _driver: guard, chromium, _profile: profile }
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.order("POST", "/url", &json!({"url": url}));
    }

    /// Where the window is.
    pub fn url(&self) -> String {
        self.order("GET", "/url", &Value::Null).as_str().expect("an address").to_owned()
    }

    /// What the body of a function returns in the page.
    pub fn run(&self, script: &str) -> Value {
        self.order("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The text that a person sees at the first match of a CSS selector.
    pub fn text(&self, selector: &str) -> String {
        let text = self.of_element(selector, "GET", "text", &Value::Null);
        text.as_str().expect("a text").to_owned()
    }

    /// Clicks at the middle of the first match, as the pointer would.
    pub fn click(&self, selector: &str) {
        self.of_element(selector, "POST", "click", &json!({}));
    }

    /// Types into the first match.
    pub fn write(&self, selector: &str, text: &str) {
        self.of_element(selector, "POST", "value", &json!({"text": text}));
    }

    fn of_element(&self, selector: &str, method: &str, what: &str, body: &Value) -> Value {
        let found = self.order("POST", "/element", &json!({"using": "css selector", "value": selector}));
        let element =
            found.as_object().and_then(|found| found.values().next()?.as_str()).expect("an element");
        self.order(method, &format!("/element/{element}/{what}"), body)
    }

    /// A command of Chromium's DevTools protocol.
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.order("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Has pages believe that the person likes `scheme`: `dark` or `light`.
    pub fn prefer(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Makes the window's inside so large, as on a telephone or on a desk.
    pub fn resize(&self, width: u32, height: u32, mobile: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the console says since it was asked last.
    pub fn console(&self) -> Vec<String> {
        let entries = self.order("POST", "/se/log", &json!({"type": "browser"}));
        entries.as_array().expect("a list").iter().map(Value::to_string).collect()
    }

    /// Puts a picture of the window into the target directory, for whoever wants to see the page.
    pub fn picture(&self, name: &str) {
        let encoded = self.order("GET", "/screenshot", &Value::Null);
        let png = base64(encoded.as_str().expect("a picture"));
        assert!(png.starts_with(b"\x89PNG"), "a picture is in PNG");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        fs::create_dir_all(&folder).expect("a directory");
        fs::write(folder.join(name).with_extension("png"), png).expect("written");
    }

    fn order(&self, method: &str, path: &str, body: &Value) -> Value {
        exchange(self.driver, method, &format!("/session/{}{path}", self.session), body)
            .unwrap_or_else(|refusal| panic!("{method} {path} {body}: {refusal}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = json!({"cmd": "Browser.close", "params": {}});
        let path = format!("/session/{}/goog/cdp/execute", self.session);
        // Its children leave in order, and its directory with them; if it does not listen, its guard ends it.
        let _ = exchange(self.driver, "POST", &path, &close);
        wait_for(PATIENCE, || self.chromium.0.try_wait().ok()?);
    }
}

/// Chromium, and the port on which it is told what to do.
fn chromium(profile: &Path) -> (Killed, u16) {
    let errors = File::create(profile.join("stderr")).expect("a file");
    let child = command("chromium")
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", profile.join("data").display()))
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .expect("setpriv (util-linux) starts");
    let guard = Killed(child);
    let port = wait_for(SLOWNESS, || {
        let told = fs::read_to_string(profile.join("data/DevToolsActivePort")).ok()?;
        told.lines().next()?.parse().ok()
    });
    let said = || fs::read_to_string(profile.join("stderr")).unwrap_or_default();
    (guard, port.unwrap_or_else(|| panic!("chromium does not start: {}", said())))
}

fn chromedriver() -> (Killed, u16) {
    let mut command: Command = command("chromedriver");
    let command = command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut guard = Killed(command.spawn().expect("setpriv (util-linux) starts"));
    let said = Lines::of(guard.0.stdout.take().expect("piped"));
    let lines = said.until(SLOWNESS, |line| line.contains("started successfully on port "));
    let line = lines.last().expect("the line that was waited for");
    let port = line.trim_end_matches('.').rsplit(' ').next().and_then(|port| port.parse().ok());
    (guard, port.unwrap_or_else(|| panic!("no port in {line}")))
}

/// One request to chromedriver, on a connection of its own: its value, or what it says is wrong.
fn exchange(driver: u16, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{driver}\r\n");
    let request =
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (is_well, mut answer) = answer(driver, &request).map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if is_well { Ok(value) } else { Err(value["message"].to_string()) }
}

/// Whether the status is 200, and the body. The length tells where it ends: chromedriver does not close.
fn answer(driver: u16, request: &str) -> io::Result<(bool, Value)> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, driver))?);
    stream.get_ref().set_read_timeout(Some(SLOWNESS))?;
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut is_well, mut length, mut line) = (false, 0, String::new());
    while stream.read_line(&mut line)? > 2 {
        is_well |= line.starts_with("HTTP/1.1 200");
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length:").map_or(Ok(length), |n| n.trim().parse()).unwrap_or(0);
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((is_well, serde_json::from_slice(&body)?))
}

/// The bytes behind base64 (RFC 4648, section 4).
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets: Vec<usize> =
        text.bytes().filter_map(|letter| LETTERS.iter().position(|known| *known == letter)).collect();
    let bytes = |four: &[usize]| {
        let all = four.iter().fold(0, |all, sextet| all << 6 | sextet) << (6 * (4 - four.len()));
        [all >> 16, all >> 8, all].map(|byte| byte as u8).into_iter().take(four.len() * 3 / 4)
    };
    sextets.chunks(4).flat_map(bytes).collect()
}
