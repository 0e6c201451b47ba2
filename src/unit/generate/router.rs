//! The configuration of a router in front of the instances: one file that passes the router's own check. The units that it
//! leads to are in `service`.

use super::{Answers, Router, Written};
use crate::unit::strategy::{PARTS, Strategy};

pub(super) fn configuration(answers: &Answers, router: Router) -> Written {
    let app = &answers.app;
    let (name, text) = match router {
        Router::Nginx => ("nginx.conf", nginx(answers)),
        Router::Caddy => ("Caddyfile", caddy(answers)),
        Router::Haproxy => ("haproxy.cfg", haproxy(answers)),
    };
    Written {
        name: format!("{app}-{name}"),
        text,
    }
}

fn nginx(answers: &Answers) -> String {
    let app = &answers.app;
    let link = answers.link();
    let live = link.strip_suffix(".sock").unwrap_or(&link);
    let (blue, green) = two_ports(answers);
    let upstream = if answers.strategy == Strategy::Rolling {
        let servers: String = answers
            .instances()
            .iter()
            .map(|name| format!("    server unix:{live}.{name}.sock max_fails=0;\n"))
            .collect();
        format!(
            "upstream {app} {{
    # A symlink for each instance. While one restarts, a deploy points its symlink to the socket of another one: nginx
    # follows it on each connection, so no reload is needed. No `keepalive` here: keep-alive connections would stay with
    # an instance that is about to stop.
{servers}}}
"
        )
    } else if answers.strategy == Strategy::Canary && !answers.ports {
        let servers: String = PARTS
            .iter()
            .map(|weight| format!("    server unix:{live}.{weight}.sock weight={weight} max_fails=0;\n"))
            .collect();
        format!(
            "upstream {app} {{
    # A symlink for each part of the requests. The weights add up to 100, and a deploy points enough parts to the socket of
    # the new instance to make up its share: nginx follows a symlink on each connection, so no reload is needed. No
    # `keepalive` here: keep-alive connections would stay with the old instance.
    zone {app} 64k;
{servers}}}
"
        )
    } else if answers.ports {
        let parts = match answers.strategy {
            Strategy::Canary => split(app),
            _ => String::new(),
        };
        format!(
            "{parts}# A name for the port of each instance.
upstream {app}_{blue} {{ server 127.0.0.1:{blue}; }}
upstream {app}_{green} {{ server 127.0.0.1:{green}; }}
"
        )
    } else {
        format!(
            "upstream {app} {{
    # A symlink to the socket of the instance that serves. nginx follows it on each connection, so a deploy replaces the
    # symlink and never reloads nginx. No `keepalive` here: keep-alive connections would stay with the old instance.
    server unix:{link} max_fails=0;
}}
"
        )
    };
    let variable = format!("${}_port", app.replace('-', "_"));
    let (choice, to) = if answers.ports && answers.strategy == Strategy::Canary {
        let part = part(app);
        let text = format!(
            "
    # A deploy renames {live}.PART.{blue} to {live}.PART.{green}, for as many parts as make up the share of the new
    # instance. nginx checks on each request, so no reload is needed. A cache of open files would hide the rename from it.
    open_file_cache off;
    set {variable} {blue};
    if (-f {live}.{part}.{green}) {{ set {variable} {green}; }}
"
        );
        (text, format!("{app}_{variable}"))
    } else if answers.ports {
        let text = format!(
            "
    # A deploy renames {live}.{blue} to {live}.{green}, and the next one back. nginx checks on each request, so no
    # reload is needed. A cache of open files would hide the rename from it.
    open_file_cache off;
    set {variable} {blue};
    if (-f {live}.{green}) {{ set {variable} {green}; }}
"
        );
        (text, format!("{app}_{variable}"))
    } else {
        (String::new(), app.clone())
    };
    format!(
        "# {app} behind nginx. Install it as /etc/nginx/conf.d/{app}.conf, then: sudo nginx -t && sudo systemctl reload nginx
{upstream}
server {{
    # Your domain and TLS go here. Other sites may listen on the same port.
    listen 80;
    listen [::]:80;
    server_name _;
{choice}
    location / {{
        proxy_pass http://{to};
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"
    )
}

/// The variable with the part that a request belongs to.
fn part(app: &str) -> String {
    format!("${}_part", app.replace('-', "_"))
}

/// Which part of the requests each one belongs to.
fn split(app: &str) -> String {
    let [parts @ .., last] = PARTS;
    let parts: String = parts.iter().map(|part| format!("    {part}% {part};\n")).collect();
    format!(
        "# The parts of the requests, by their weight: a deploy sends enough of them to the new instance to make up its share.
split_clients $request_id {} {{
{parts}    * {last};
}}
",
        part(app)
    )
}

/// The ports of the two instances that take turns.
fn two_ports(answers: &Answers) -> (u16, u16) {
    let ports = answers.instance_ports();
    let port = |at: usize| ports.get(at).copied().unwrap_or_default();
    (port(0), port(1))
}

fn caddy(answers: &Answers) -> String {
    let app = &answers.app;
    let link = answers.link();
    let live = link.strip_suffix(".sock").unwrap_or(&link);
    let (dir, name) = live.rsplit_once('/').unwrap_or(("", live));
    let (blue, green) = two_ports(answers);
    let to = if answers.ports {
        format!(
            "	# A deploy renames {live}.{blue} to {live}.{green}, and the next one back. Caddy checks on each request, so no
	# reload is needed.
	@{green} file {{
		root {dir}/
		try_files /{name}.{green}
	}}
	reverse_proxy @{green} 127.0.0.1:{green} {{
		import {app}_new_connections
	}}
	reverse_proxy 127.0.0.1:{blue} {{
		import {app}_new_connections
	}}
"
        )
    } else {
        format!(
            "	# A symlink to the socket of the instance that serves. Caddy follows it on each connection, so a deploy replaces the
	# symlink and never reloads Caddy.
	reverse_proxy unix/{link} {{
		import {app}_new_connections
	}}
"
        )
    };
    format!(
        "# {app} behind Caddy. Append it to /etc/caddy/Caddyfile, then:
#   sudo caddy validate --config /etc/caddy/Caddyfile && sudo systemctl reload caddy
# Write your domain and http://127.0.0.1 in place of :80, separated by a comma: Caddy gets a certificate for the domain,
# and shipit's health checks use http://127.0.0.1.
({app}_new_connections) {{
	transport http {{
		# A keep-alive connection would stay with the old instance.
		keepalive off
	}}
}}

:80 {{
{to}}}
"
    )
}

fn haproxy(answers: &Answers) -> String {
    let Answers { app, deployer, .. } = answers;
    let servers: String = answers
        .named_ports()
        .map(|(name, port)| format!("    server {name} 127.0.0.1:{port}\n"))
        .collect();
    format!(
        "# {app} behind HAProxy. Append it to /etc/haproxy/haproxy.cfg, then:
#   sudo haproxy -c -f /etc/haproxy/haproxy.cfg && sudo systemctl reload haproxy
global
    # {deployer} switches the servers over this socket. It controls all of HAProxy: nobody else may write to it.
    stats socket /run/haproxy/{app}.sock mode 600 user {deployer} level admin

defaults {app}
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    # A connection that is refused goes to the other server.
    retries 3
    option redispatch 1
    option forwardfor

frontend {app} from {app}
    # Your domain and TLS go here.
    bind :80
    default_backend {app}

backend {app} from {app}
    # With these checks, HAProxy finds {finds} even after a restart, when the states that a deploy set are lost.
    # No `cookie`: it would send clients to an instance that has not been checked yet.
    option httpchk GET {path}
    default-server check inter 1s fall 2 rise 1
{servers}",
        path = answers.health_path,
        finds = match answers.strategy {
            Strategy::Rolling => "the instances that run",
            _ => "the instance that runs",
        },
    )
}
