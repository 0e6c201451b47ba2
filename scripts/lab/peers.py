"""The deploy tools of others, from Debian, as their users run them: what `scripts/bench.sh upload` compares shipit with,
beside the two scripts. Nothing here measures."""
import os
import pathlib
import shutil
import subprocess

# Capistrano and Mina fetch from a repository, here on the host itself: what `git push` takes comes before and is not
# counted, to their advantage.
CAPFILE = """
require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
"""
DEPLOY_RB = """
set :application, "acme"
set :repo_url, "file:///opt/repository.git"
set :branch, "main"
set :deploy_to, "/opt/acme"
set :keep_releases, 5
set :log_level, :warn
set :ssh_options, {user: "deploy", port: %(port)s, keys: ["%(key)s"], config: false, user_known_hosts_file: "%(known)s"}
server "127.0.0.1", roles: %%w[app]
namespace :deploy do
  task(:restart) { on(roles(:app)) { execute :sudo, "/usr/bin/systemctl restart acme.service" } }
  after :publishing, :restart
  after :finishing_rollback, :restart
end
"""
MINA = """
require "mina/git"
# Debian has this file elsewhere.
def Mina.root_path(*path) = File.join("/usr/share/doc/mina/examples", File.basename(path.last))
set :domain, "127.0.0.1"
set :user, "deploy"
set :port, "%(port)s"
set :identity_file, "%(key)s"
set :ssh_options, "-F /dev/null -o UserKnownHostsFile=%(known)s"
set :term_mode, nil
set :deploy_to, "/opt/acme"
set :repository, "file:///opt/repository.git"
set :branch, "main"
task :deploy do
  deploy do
    invoke :"git:clone"
    to(:launch) { queue "sudo /usr/bin/systemctl restart acme.service" }
  end
end
task :back do
  queue "cd /opt/acme && ln -nfs $(ls -d releases/* | sort -V | tail -n 2 | head -n 1) current"
  queue "sudo /usr/bin/systemctl restart acme.service"
end
"""
# The usual pattern: rsync into a shared copy, and from there into the release.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - community.general.deploy_helper: {path: /opt/acme}
    - ansible.posix.synchronize: {src: source/, dest: /opt/acme/shared/source/, delete: true, use_ssh_args: true}
    - command: cp -a /opt/acme/shared/source/. {{ deploy_helper.new_release_path }}
    - community.general.deploy_helper: {path: /opt/acme, release: "{{ deploy_helper.new_release }}", state: finalize}
    - command: sudo /usr/bin/systemctl restart acme.service
"""
BACK = """
- hosts: all
  gather_facts: false
  tasks:
    - community.general.deploy_helper: {path: /opt/acme, state: query}
    - file: {path: /opt/acme/current, src: "{{ deploy_helper.previous_release_path }}", state: link}
    - command: sudo /usr/bin/systemctl restart acme.service
"""

NAMES = ("capistrano", "mina", "ansible")
REPOSITORY = "/opt/repository.git"


class Peer:
    """One of these tools on a client. What is timed goes by `port`, where the proxy is; `ssh` leads to the host directly,
    when a user and the address follow."""

    def __init__(self, name, home, ssh, address, port, key, known):
        self.name, self.ssh, self.address, self.home = name, ssh, address, pathlib.Path(home)
        self.at = self.home / name
        facts = {"port": port, "key": key, "known": known}
        if name == "capistrano":
            self.write("Capfile", CAPFILE)
            self.write("config/deploy.rb", DEPLOY_RB % facts)
            self.write("config/deploy/production.rb", "")
            self.commands = {"deploy": "cap production deploy", "rollback": "cap production deploy:rollback"}
        elif name == "mina":
            self.write("config/deploy.rb", MINA % facts)
            self.commands = {"deploy": "mina deploy", "rollback": "mina back"}
        else:
            self.write("deploy.yml", PLAYBOOK)
            self.write("back.yml", BACK)
            self.write("ansible.cfg", "[ssh_connection]\npipelining = true\n")
            # Not by the address of the loopback, where its `synchronize` would copy on this machine.
            options = (f"-F /dev/null -o UserKnownHostsFile={known} -o HostName=127.0.0.1 -o HostKeyAlias=[127.0.0.1]:{port}"
                       " -o ControlMaster=auto -o ControlPersist=20")
            self.write("hosts", f"acme ansible_port={port} ansible_user=deploy ansible_ssh_private_key_file={key} "
                                f"ansible_ssh_common_args='{options}' ansible_python_interpreter=/usr/bin/python3\n")
            (self.at / "source").symlink_to("../source")
            self.commands = {"deploy": "ansible-playbook -i hosts deploy.yml",
                             "rollback": "ansible-playbook -i hosts back.yml"}

    def write(self, path, text):
        path = self.at / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def fresh(self):
        """The host before its first deploy: as `shipit setup` left it, with what these tools need besides."""
        made = f"/opt/acme/shared /opt/acme/shared/source /opt/acme/tmp {REPOSITORY}"
        self.run(f"rm -rf {REPOSITORY} && install -d -o deploy {made}", "root")
        self.run(f"git init -q --bare -b main {REPOSITORY}", "deploy")

    def run(self, command, user):
        subprocess.run([*self.ssh, f"{user}@{self.address}", command], check=True, stdin=subprocess.DEVNULL)

    def before(self, verb):
        """What is not counted: the source goes to the repository."""
        if verb == "deploy" and self.name != "ansible":
            git = ["git", "--git-dir", str(self.at / ".git"), "--work-tree", str(self.home / "source"),
                   "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
            steps = (["-c", "init.defaultBranch=main", "init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "next"],
                     ["push", "-q", "--force", f"deploy@{self.address}:{REPOSITORY}", "main"])
            for step in steps:
                subprocess.run([*git, *step], check=True, env={**os.environ, "GIT_SSH_COMMAND": " ".join(self.ssh)})

    def command(self, verb):
        """What is counted, and its environment."""
        return self.commands[verb].split(), {**os.environ, "HOME": str(self.at / ".home")}

    def after(self):
        """Ansible's masters end: the next deploy connects, as on another day."""
        for master in (self.at / ".home/.ansible/cp").glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={master}", "acme"], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.at / ".home", ignore_errors=True)
