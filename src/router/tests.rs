//! Files of routers as people write them, and as nobody should; and the rounds in which they are asked for.

#![allow(clippy::unwrap_used)]

use super::*;

fn to(kind: Kind, text: &str) -> Vec<String> {
    let reading = kind.read(Form::Own, "/etc/f", text);
    let forwards = reading.forwards.iter();
    let mut all: Vec<String> = forwards
        .map(|one| format!("{} :{}", one.address, one.place.1))
        .collect();
    all.extend(reading.unclear.iter().map(|(_, line)| format!("? :{line}")));
    all
}

#[test]
fn nginx_says_where_it_forwards_whatever_the_layout() {
    let text = "# server 1.1.1.1:1;\nhttp\n{\n  upstream 'acme'\n  {\n    server unix:/run/acme/live.sock max_fails=0; server \"127.0.0.1:8081\"\n      weight=2 ;\n\
        server app.internal;\n server [::1]:90 down; }\n  server { listen 80; server_name a#b;\n    location /a { proxy_pass http://acme/x; }\n\
        location / { proxy_pass HTTP://localhost:3000/$request_uri; }\n location /s { proxy_pass https://10.0.0.5; }\n\
        location /u { proxy_pass http://unix:/tmp/b.sock:/uri/; fastcgi_pass 127.0.0.1:9000; }\n location /v { proxy_pass http://$up; proxy_pass $scheme://a:1; }\n\
        set $x \"${a}{;\"; log_format main '{ ; # }'; if ($http_x ~ \"}\") { return 1; }\n }}\n";
    assert_eq!(
        to(Kind::Nginx, text),
        [
            "/run/acme/live.sock :6",
            "127.0.0.1:8081 :6",
            "app.internal:80 :8",
            "[::1]:90 :9",
            "acme:80 :11", // dropped once all files are read
            "localhost:3000 :12",
            "10.0.0.5:443 :13",
            "/tmp/b.sock :14",
            "127.0.0.1:9000 :14",
            "? :15",
            "? :15"
        ]
    );
    let reading = Kind::Nginx.read(Form::Own, "/etc/f", text);
    let peers: Vec<_> = reading.forwards.iter().filter_map(|one| one.peer.as_ref()).collect();
    assert_eq!(
        peers.iter().map(|one| (one.forgiven, one.down)).collect::<Vec<_>>(),
        [(true, false), (false, false), (false, false), (false, true)]
    );
    assert!(
        peers
            .iter()
            .all(|one| one.upstream == ("/etc/f".to_owned(), 5) && one.name == "acme")
    );
}

#[test]
fn nginx_text_that_does_not_close_is_unclear_and_not_empty() {
    for text in [
        "http { upstream a { server 127.0.0.1:1; }",
        "set $a 'x;\nproxy_pass http://127.0.0.1:1;",
        "}",
        "proxy_pass http://127.0.0.1:1",
        "content_by_lua_block { local a = '}' }",
    ] {
        let reading = Kind::Nginx.read(Form::Own, "/etc/f", text);
        assert!(!reading.unclear.is_empty(), "{text}");
    }
    assert_eq!(to(Kind::Nginx, ""), [""; 0]);
}

#[test]
fn haproxy_says_where_its_backends_lead() {
    let text = "global\n  server x 1.1.1.1:1\npeers p\n  server me 1.1.1.1:2\nbackend b # x\n  # server no 1.1.1.1:3\n  server a 127.0.0.1:8080 check\n\
        server b unix@/run/a\\ b.sock\n  server c /run/c.sock\n  server d \"ipv4@10.0.0.1:80\"\nlisten l\n  server e :8081\n  server f ${HOST}:80\n  server g abns@x\n\
        server-template t 3 a.b:80\n  server h 127.0.0.1\n  server i 'x\n";
    assert_eq!(
        to(Kind::Haproxy, text),
        [
            "127.0.0.1:8080 :7",
            "/run/a b.sock :8",
            "/run/c.sock :9",
            "10.0.0.1:80 :10",
            "*:8081 :12",
            "? :13",
            "? :14",
            "? :15",
            "? :16",
            "? :17"
        ]
    );
}

#[test]
fn caddy_says_where_its_proxies_lead() {
    let text = "# reverse_proxy 1.1.1.1:1\n{\n  admin off\n}\n(common) {\n  encode gzip\n}\nexample.org {\n  import common\n  import sites/*\n  reverse_proxy /api/* localhost:8080 \\\n    127.0.0.1:8081\n\
        reverse_proxy @m unix//run/a.sock {\n    to :9000 h2c://10.0.0.1\n    lb_policy first\n  }\n  redir {\n    to x\n  }\n  php_fastcgi \"unix//run/php.sock\"\n  reverse_proxy {env.UP} {\n    dynamic a x 80\n  }\n}\n";
    assert_eq!(
        to(Kind::Caddy, text),
        [
            "localhost:8080 :11",
            "127.0.0.1:8081 :11",
            "/run/a.sock :13",
            "*:9000 :14",
            "10.0.0.1:80 :14",
            "/run/php.sock :20",
            "? :21",
            "? :22"
        ]
    );
    assert_eq!(
        Kind::Caddy.read(Form::Own, "/etc/caddy/Caddyfile", text).includes,
        ["/etc/caddy/sites/*"]
    );
    for text in [
        "a {\n",
        "}\n",
        "respond `x\n",
        "respond <<HTML\n  reverse_proxy a\n  HTML\n",
    ] {
        assert!(
            !Kind::Caddy.read(Form::Own, "/etc/f", text).unclear.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn addresses_meet_when_a_connection_to_one_reaches_the_other() {
    let at = |text: &str| Address::tcp(text, None).unwrap();
    assert!(at("localhost:80").reaches(&at("127.0.0.1:80")) && at("127.0.0.1:80").reaches(&at("80")));
    assert!(at("[::1]:80").reaches(&at("LOCALHOST:80")));
    assert!(!at("127.0.0.1:80").reaches(&at("127.0.0.1:81")) && !at("[::1]:80").reaches(&at("127.0.0.1:80")));
    for text in ["", "a", "a:b", "a:99999", "[::1", "$a:80", "a:80-90", "::"] {
        assert_eq!(Address::tcp(text, None), None, "{text}");
    }
    assert!(at("a.b:1").is_name() && !at("10.0.0.1:1").is_name() && !at("[fe80::1]:1").is_name());
}

fn packed(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn files_are_asked_for_in_rounds_and_each_once() {
    let (mut routers, args) = Routers::begin();
    assert_eq!(args[..4], ["unit", "nginx", "file", "/etc/nginx/nginx.conf"]);
    assert_eq!(args.len(), 12);
    let main = "http { include conf.d/*.conf; include /etc/nginx/nginx.conf; server { location / { proxy_pass http://acme; fastcgi_pass php; } } }";
    let said = format!(
        "router nginx loaded active enabled\nfile {} {}\nunreadable {}\nrouter caddy not-found inactive \nfile {} {}\nasked\n",
        packed("/etc/nginx/nginx.conf"),
        packed(main),
        packed("/etc/x"),
        packed("/etc/caddy/Caddyfile"),
        packed(":80\nreverse_proxy :1\n"),
    );
    let next = routers.take(said.as_bytes());
    assert_eq!(next[..4], ["unit", "nginx", "file", "/etc/nginx/conf.d/*.conf"]);
    let said = format!(
        "router nginx loaded active enabled\nfile {} {}\nfile {} {}\nasked\n",
        packed("/etc/nginx/conf.d/a.conf"),
        packed("upstream acme { server unix:/run/a.sock; server 127.0.0.1:1; }"),
        packed("/etc/nginx/nginx.conf"),
        packed(main),
    );
    assert_eq!(routers.take(said.as_bytes()), ["link", "/run/a.sock"]);
    let said = format!(
        "link {} {}\nnothing {}\nasked\n",
        packed("/run/a.sock"),
        packed("/run/b.sock"),
        packed("/x")
    );
    assert_eq!(routers.take(said.as_bytes()), [""; 0]);
    assert_eq!(routers.links["/run/a.sock"].as_deref(), Some("/run/b.sock"));
    assert_eq!(routers.links["/x"], None);
    let [nginx] = &routers.all[..] else {
        panic!("{routers:?}")
    };
    assert_eq!(
        nginx.forwards.len(),
        2,
        "a name of an upstream is no address: {nginx:?}"
    );
    assert_eq!(nginx.unclear.len(), 1, "php is nobody's name");
    assert_eq!(routers.unreadable().collect::<Vec<_>>(), ["/etc/x"]);
    // A script that did not come to its end has not said everything.
    routers.take(b"");
    assert_eq!(routers.unreadable().count(), 2);
}

#[test]
fn a_circle_of_includes_comes_to_an_end() {
    let (mut routers, mut args) = Routers::begin();
    let mut rounds = 0;
    while !args.is_empty() {
        rounds += 1;
        assert!(rounds < 50);
        let path = &args[3];
        let (path, text) = (packed(path), packed("import a/Caddyfile\n"));
        args = routers.take(format!("router caddy loaded active enabled\nfile {path} {text}\nasked\n").as_bytes());
    }
    assert_eq!(routers.unreadable().count(), 1, "what was not asked for is said");
}

#[test]
fn no_bytes_whatever_are_a_panic() {
    const WORDS: &str = "server|upstream|proxy_pass|reverse_proxy|import|include|backend|to|unix:|unix//|http://|127.0.0.1:80|\
         [::1]:|{|}|;|#|\"|'|\\|`|$|\n|\n| | |é|\0|<<A|[|]:|@|*|/";
    let words: Vec<&str> = WORDS.split('|').collect();
    let mut state = 11u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % n
    };
    for _ in 0..20_000 {
        let text: String = (0..next(40)).map(|_| words[next(words.len())]).collect();
        for kind in Kind::ALL {
            let _ = kind.read(Form::Own, "f", &text);
        }
        let _ = Address::tcp(&text, Some(1));
        let bytes: Vec<u8> = (0..next(60)).map(|_| u8::try_from(next(256)).unwrap()).collect();
        let (mut routers, _) = Routers::begin();
        let _ = routers.take(&bytes);
        for kind in Kind::ALL {
            let _ = kind.read(Form::Own, "f", &String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn what_the_command_line_names_is_read_and_nothing_else() {
    let (mut routers, args) = Routers::begin();
    assert_eq!(args.len(), 12, "one file of each");
    let nginx = "nginx: master process /usr/sbin/nginx -c /srv/web/n.conf";
    let haproxy = "haproxy\0-f\0/srv/ha\0-f\0/srv/gone.cfg\0";
    let caddy = "caddy\0run\0--resume\0";
    let usual = packed("proxy_pass http://127.0.0.1:1;");
    let said = format!(
        "router nginx loaded active enabled\nruns {}\nfile {} {usual}\n\
         router haproxy loaded active enabled\nruns {}\nunreadable {}\n\
         router caddy loaded active enabled\nruns {}\nfile {} {usual}\nasked\n",
        packed(nginx),
        packed("/etc/nginx/nginx.conf"),
        packed(haproxy),
        packed("/etc/haproxy/haproxy.cfg"),
        packed(caddy),
        packed("/etc/caddy/Caddyfile"),
    );
    let asked: Vec<String> = routers.take(said.as_bytes());
    let paths: Vec<&str> = asked.chunks(4).map(|one| one[3].as_str()).collect();
    assert_eq!(paths, ["/srv/web/n.conf", "/srv/ha", "/srv/gone.cfg"]);
    let said = format!(
        "router nginx loaded active enabled\nruns {}\nfile {} {}\n\
         router haproxy loaded active enabled\nruns {}\ndirectory {}\nasked\n",
        packed(nginx),
        packed("/srv/web/n.conf"),
        packed("include sites/*;\nproxy_pass http://127.0.0.1:2;"),
        packed(haproxy),
        packed("/srv/ha"),
    );
    let asked = routers.take(said.as_bytes());
    let paths: Vec<&str> = asked.chunks(4).map(|one| one[3].as_str()).collect();
    assert_eq!(paths, ["/srv/web/sites/*", "/srv/ha/*.cfg"]);
    let text = packed("backend b\n server a 127.0.0.1:3\n");
    let said = format!(
        "router haproxy loaded active enabled\nfile {} {text}\nasked\n",
        packed("/srv/ha/b.cfg")
    );
    assert_eq!(routers.take(said.as_bytes()), [""; 0]);
    let told: Vec<_> = routers
        .all
        .iter()
        .map(|one| {
            let to = one.forwards.iter().map(|to| to.address.to_string());
            (to.collect::<Vec<_>>(), one.unknown.is_some())
        })
        .collect();
    let to = |address: &str| vec![address.to_owned()];
    // One of haproxy's files is gone: what it runs with is not all known.
    let all = [(to("127.0.0.1:2"), false), (to("127.0.0.1:3"), true), (vec![], true)];
    assert_eq!(told, all);
    assert_eq!(routers.unreadable().count(), 0);
}
