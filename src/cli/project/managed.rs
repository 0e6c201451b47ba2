//! Programs for a virtual machine that are built locally: Java and Kotlin by Maven or Gradle, .NET, Deno. Never builds
//! them itself.

use super::{About, Directory, Project, compiled, evidence, version};
use crate::unit::generate::Program;

pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    maven(dir, app)
        .or_else(|| gradle(dir, app))
        .or_else(|| dotnet(dir))
        .or_else(|| deno(dir))
}

fn jar(what: &str, app: &str) -> Project {
    let mut project = compiled::binary(what);
    project.source = "release".into();
    project.command = Some(format!("/usr/bin/java -jar {{root}}/current/{app}.jar"));
    project.check(
        About::Command,
        "a JVM can need more memory than the unit's MemoryMax=: set -Xmx below it",
    );
    project
}

/// What Spring Boot, Quarkus and Micronaut serve for health checks.
fn java_health(dir: &Directory, manifest: &str, project: &mut Project) {
    if dir.depends(&[manifest], "spring-boot-starter-actuator") {
        project.health = "/actuator/health".into();
    } else if dir.text(manifest).contains("quarkus-smallrye-health") {
        project.health = "/q/health".into();
    }
    let settings = [
        "src/main/resources/application.properties",
        "src/main/resources/application.yml",
    ];
    // These read no PORT: the port is a property of the virtual machine, which comes before a file.
    let text = dir.text(manifest);
    let property = [
        ("quarkus", "quarkus.http.port"),
        ("micronaut", "micronaut.server.port"),
        ("spring-boot", "server.port"),
        ("org.springframework.boot", "server.port"),
    ];
    if let Some((_, property)) = property.iter().find(|(name, _)| text.contains(name)) {
        let command = project.command.take().unwrap_or_default();
        let option = format!("/usr/bin/java -D{property}={} ", project.port);
        project.command = Some(command.replacen("/usr/bin/java ", &option, 1));
    } else if let Some(file) = dir.first(&settings) {
        project.check(
            About::Health,
            format!("the app listens on 8080 unless {file} sets server.port"),
        );
    }
}

fn maven(dir: &Directory, app: &str) -> Option<Project> {
    if !dir.has("pom.xml") {
        return None;
    }
    let mut project = jar("Java (pom.xml)", app);
    let maven = if dir.has("mvnw") { "./mvnw" } else { "mvn" };
    let pom = dir.text("pom.xml");
    // A parent has an artifact of its own: what is outside of it counts.
    let own = pom.split("<parent>").next().unwrap_or_default().to_owned()
        + pom
            .split("</parent>")
            .nth(1)
            .unwrap_or(if pom.contains("<parent>") { "" } else { pom });
    let tag = |name: &str| {
        let value = own.split(&format!("<{name}>")).nth(1)?.split('<').next()?.trim();
        value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            .then(|| value.to_owned())
    };
    let kind = tag("packaging").filter(|kind| kind == "war");
    let kind = kind.as_deref().unwrap_or("jar");
    let file = match (tag("finalName"), tag("artifactId"), tag("version")) {
        (Some(name), ..) => format!("{name}.{kind}"),
        (_, Some(artifact), Some(version)) => format!("{artifact}-{version}.{kind}"),
        _ => format!("*.{kind}"),
    };
    if kind == "war" {
        war(dir, app, pom, &mut project);
    }
    if own.contains("<modules>") {
        project.check(
            About::Build,
            "several Maven modules found: copy the jar of the one that runs the server",
        );
    }
    if dir.text("pom.xml").contains("quarkus") {
        project.build = Some(format!(
            "{maven} -q -DskipTests package && rm -rf release && cp -R target/quarkus-app release"
        ));
        project.command = Some("/usr/bin/java -jar {root}/current/quarkus-run.jar".into());
    } else {
        project.build = Some(format!(
            "{maven} -q -DskipTests package && mkdir -p release && cp target/{file} release/{app}.{kind}"
        ));
    }
    version::check(
        &mut project,
        "Java",
        tag("java.version").map(|text| (text, "pom.xml".into())),
    );
    java_health(dir, "pom.xml", &mut project);
    Some(project)
}

/// A war runs in a servlet container, unless Spring Boot has packed one into it.
fn war(dir: &Directory, app: &str, pom: &str, project: &mut Project) {
    project.command = Some(format!("/usr/bin/java -jar {{root}}/current/{app}.war"));
    if pom.contains("spring-boot-maven-plugin") {
        return;
    }
    let shown = match evidence::web(dir) {
        Some(Ok(start)) => format!("; {} starts `{}`", start.from, start.words.join(" ")),
        _ => String::new(),
    };
    project.check(
        About::Command,
        format!(
            "a war needs a servlet container, such as `java -jar jetty-runner.jar --port {} {app}.war`, or Tomcat: name it here{shown}",
            project.port
        ),
    );
}

fn gradle(dir: &Directory, app: &str) -> Option<Project> {
    let file = dir.first(&["build.gradle.kts", "build.gradle"])?;
    let mut project = jar(&format!("Java ({file})"), app);
    let gradle = if dir.has("gradlew") { "./gradlew" } else { "gradle" };
    let text = dir.text(file);
    let (task, jar) = if text.contains("org.springframework.boot") {
        ("bootJar", "build/libs/*.jar")
    } else if text.contains("shadow") || text.contains("ktor") {
        ("shadowJar", "build/libs/*-all.jar")
    } else {
        project.check(
            About::Build,
            "is the jar complete? Without a plugin such as shadow, it does not include its dependencies",
        );
        ("jar", "build/libs/*.jar")
    };
    project.build = Some(format!(
        "{gradle} --console=plain clean {task} && mkdir -p release && cp {jar} release/{app}.jar"
    ));
    java_health(dir, file, &mut project);
    Some(project)
}

fn dotnet(dir: &Directory) -> Option<Project> {
    let mut projects = dir
        .sources("csproj")
        .filter(|(_, text)| text.contains("Microsoft.NET.Sdk.Web"));
    let web: Vec<(&str, &str)> = projects.by_ref().collect();
    // A library, or a program with a window, serves nothing.
    let console = |text: &str| {
        text.contains("Microsoft.NET.Sdk.Worker")
            || text.contains("<OutputType>Exe") && !text.contains("UseWPF") && !text.contains("UseWindowsForms")
    };
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let named = ["web.csproj", "server.csproj", "api.csproj"];
    let likely = named
        .iter()
        .find_map(|end| web.iter().find(|(path, _)| name_of(path).ends_with(end)));
    let (path, text) = likely
        .or(web.first())
        .copied()
        .or_else(|| dir.sources("csproj").find(|(_, text)| console(text)))?;
    let several = web.len() > 1;
    let mut project = compiled::binary(&format!(".NET ({path})"));
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".csproj");
    let assembly = text
        .split("<AssemblyName>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .unwrap_or(name);
    if !path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c)) {
        project.check(
            About::Build,
            format!("the name {path} would need quoting in a command: write the build command yourself"),
        );
        return Some(project);
    }
    project.build = Some(format!("dotnet publish ./{path} -c Release -o build"));
    project.command = Some(format!(
        "/usr/bin/dotnet {{root}}/current/{assembly}.dll --urls http://127.0.0.1:{}",
        project.port
    ));
    project.check(
        About::Command,
        "the host needs the ASP.NET Core runtime; with `--self-contained` in `build` it needs none",
    );
    if several {
        let names: Vec<&str> = web.iter().map(|(path, _)| *path).collect();
        project.check(
            About::Build,
            format!("several web projects ({}): {path} is assumed", names.join(", ")),
        );
    }
    Some(project)
}

fn deno(dir: &Directory) -> Option<Project> {
    let file = dir.first(&["deno.json", "deno.jsonc"])?;
    let mut project = Project::new(format!("Deno ({file})"));
    project.program = Some(Program::Binary);
    let tasks: serde_json::Value = serde_json::from_str(dir.text(file)).unwrap_or_default();
    // One that watches files is a developer's.
    let task = ["start", "serve", "preview", "prod", "production"]
        .iter()
        .filter_map(|name| Some((*name, evidence::json(&tasks, &format!("/tasks/{name}"))?)))
        .find(|(_, line)| !line.contains("--watch"));
    if evidence::json(&tasks, "/tasks/build").is_some() {
        project.build = Some("deno task build".into());
    }
    let entry = dir
        .first(&["main.ts", "server.ts", "mod.ts", "src/main.ts", "main.js"])
        .unwrap_or("main.ts");
    let words = match task.map(|(name, line)| evidence::start(line, &format!("the task `{name}` of {file}"))) {
        Some(Ok(start)) if start.words.first().is_some_and(|word| word == "deno") => start.words[1..].to_vec(),
        Some(Err(why)) => {
            project.check(About::Command, why);
            vec!["run".into(), "-A".into(), entry.into()]
        }
        _ => vec!["run".into(), "-A".into(), entry.into()],
    };
    let words = evidence::with_port(&words, project.port);
    let path = |word: &String| {
        if dir.has(word) {
            format!("{{root}}/current/{word}")
        } else {
            word.clone()
        }
    };
    let words: Vec<String> = words.iter().map(path).collect();
    project.command = Some(format!("/usr/local/bin/deno {}", evidence::line(&words)));
    project.check(About::Command, "deno is expected in /usr/local/bin, and its package cache must be readable by the app's user: `deno install --vendor`");
    Some(project)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_task_that_watches_files_does_not_start_a_service() {
        let tasks =
            r#"{"tasks":{"start":"deno run -A --watch=routes/ dev.ts","preview":"deno run -A main.ts","build":"b"}}"#;
        let deno = project(&[("deno.json", tasks), ("main.ts", ""), ("dev.ts", "")]);
        assert_eq!(
            deno.command.as_deref(),
            Some("/usr/local/bin/deno run -A {root}/current/main.ts")
        );
        assert_eq!(deno.build.as_deref(), Some("deno task build"));
    }

    #[test]
    fn a_war_needs_a_servlet_container() {
        let pom = "<artifactId>shop</artifactId><version>1</version><packaging>war</packaging>";
        let docker = "FROM x\nCMD [\"java\", \"-jar\", \"/jetty-runner.jar\", \"/shop.war\"]\n";
        let war = project(&[("pom.xml", pom), ("Dockerfile", docker)]);
        assert!(
            war.build
                .as_deref()
                .unwrap()
                .ends_with(" cp target/shop-1.war release/acme.war")
        );
        assert_eq!(
            war.command.as_deref(),
            Some("/usr/bin/java -jar {root}/current/acme.war")
        );
        assert!(
            checks(&war, "Dockerfile starts `java -jar /jetty-runner.jar /shop.war`"),
            "{war:?}"
        );
        let boot = format!("{pom}<artifactId>spring-boot-maven-plugin</artifactId>");
        assert!(!checks(&project(&[("pom.xml", &boot)]), "servlet container"));
    }

    #[test]
    fn the_port_of_a_framework_is_a_property() {
        for (file, text, command) in [
            (
                "pom.xml",
                "spring-boot-starter-web",
                "-Dserver.port=8080 -jar {root}/current/acme.jar",
            ),
            (
                "build.gradle",
                "org.springframework.boot",
                "-Dserver.port=8080 -jar {root}/current/acme.jar",
            ),
            (
                "pom.xml",
                "quarkus",
                "-Dquarkus.http.port=8080 -jar {root}/current/quarkus-run.jar",
            ),
            ("pom.xml", "x", "-jar {root}/current/acme.jar"),
        ] {
            let java = project(&[(file, text), ("src/main/resources/application.properties", "")]);
            assert_eq!(java.command, Some(format!("/usr/bin/java {command}")), "{text}");
            assert_eq!(checks(&java, "unless src/main/resources"), text == "x", "{text}");
        }
    }

    #[test]
    fn of_dotnet_projects_the_one_that_serves_counts() {
        let web = "<Project Sdk=\"Microsoft.NET.Sdk.Web\">";
        let several = project(&[("src/PublicApi/PublicApi.csproj", web), ("src/Web/Web.csproj", web)]);
        assert!(several.build.as_deref().unwrap().contains(" ./src/Web/Web.csproj "));
        assert!(checks(&several, "(src/PublicApi/PublicApi.csproj, src/Web/Web.csproj)"));
        let window = "<OutputType>WinExe</OutputType><UseWPF>true</UseWPF>";
        let desktop = project(&[
            ("win/App.csproj", window),
            ("server/", ""),
            ("server/go.mod", "module x"),
            ("server/main.go", "package main"),
        ]);
        assert_eq!(
            (desktop.what.as_str(), desktop.source.as_str()),
            ("Go (go.mod)", "server/build")
        );
    }
}
