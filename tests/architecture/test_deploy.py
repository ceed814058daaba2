"""What `deploy/` and the operations guide tell an administrator to run exists: commands, options, files, addresses.

Where `systemd-analyze` or `nginx` is installed they are asked as well; without them the files are read by what is here.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.cli.install import KEY_FILES
from gateway.cli.root import root
from gateway.web.api.reads import LONGEST_WAIT
from gateway.web.server import MAX_REQUEST
from gateway.web.site import create_site
from tests.architecture.sources import ROOT
from tests.gateway_world import World

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NGINX = DEPLOY / "nginx" / "nginx.conf"
PROGRAM = "/opt/xianjie/bin/xianjie"
MADE_BY_THE_ADMINISTRATOR = {"installation", "tls"}
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ReadWritePaths": "/srv/xianjie",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictSUIDSGID": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallArchitectures": "native",
    "User": "xianjie",
    "UMask": "0077",
}
MOST_EXPOSED = 2.0


def settings(unit: Path, key: str) -> list[str]:
    """Every value a unit gives a key, in order."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [value for name, _, value in (line.partition("=") for line in lines) if name == key]


def unknown_in(words: list[str]) -> list[str]:
    """What a command line names that the command tree does not have."""
    command: click.Command = root
    known = {option for one in root.params for option in one.opts}
    while words and isinstance(command, click.Group):
        if words[0] not in command.commands:
            return [words[0]] if command is root or not words[0].startswith(("-", "…")) else []
        command, words = command.commands[words[0]], words[1:]
    known |= {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]


# --- systemd ---


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_there_is_and_is_fenced_in(unit: Path) -> None:
    (start,) = settings(unit, "ExecStart")
    program, *words = start.split()
    assert (program, unknown_in(words)) == (PROGRAM, [])
    assert {key: settings(unit, key) for key in HARDENED} == {key: [value] for key, value in HARDENED.items()}
    assert settings(unit, "SystemCallFilter")[0] == "@system-service"


@pytest.mark.parametrize("name", ["xianjie-serve@.service", "xianjie-work.service"])
def test_a_process_gets_every_key_as_a_credential_and_sees_no_other_file_of_keys(name: str) -> None:
    unit = DEPLOY / "systemd" / name
    given = dict(value.split(":", 1) for value in settings(unit, "LoadCredential"))
    assert given == {key: f"/srv/xianjie/keys/{key}" for key in KEY_FILES}
    assert "XIANJIE_KEYS=%d" in settings(unit, "Environment")
    assert settings(unit, "InaccessiblePaths") == ["-/srv/xianjie/keys"]
    assert settings(unit, "Requires") == ["xianjie-migrate.service"]


def test_every_variable_a_unit_sets_is_read_by_the_program() -> None:
    read = (ROOT / "gateway" / "config.py").read_text(encoding="utf-8")
    named = {value.partition("=")[0] for unit in UNITS for value in settings(unit, "Environment")}
    assert [name for name in named if f'"{name}"' not in read] == []


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    program = tmp_path / "xianjie"
    program.touch(mode=0o755)
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, str(program))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    paths = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "xianjie" in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_itself_calls_a_unit_little_exposed(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


# --- containers ---


def compose() -> str:
    return (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


def section(name: str) -> dict[str, str]:
    """The entries of a top-level mapping of the compose file, each with its text."""
    found = re.search(rf"^{name}:\n((?:  .*\n|\n)*)", compose() + "\n", re.MULTILINE)
    assert found is not None, name
    parts = re.split(r"^  ([a-z0-9-]+):", found[1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_compose_starts_what_a_gateway_is_made_of() -> None:
    assert list(section("services")) == ["postgres", "migrate", "serve-1", "serve-2", "work", "proxy"]
    commands = [json.loads(text) for text in re.findall(r"command: (\[.*\])", compose())]
    assert sorted(words[0] for words in commands) == ["migrate", "serve", "work"]
    assert [unknown_in(words) for words in commands] == [[], [], []]


def test_compose_names_plain_images_known_networks_and_files_there_are() -> None:
    text = compose()
    assert all(re.fullmatch(r"[a-z]+(:[0-9.]+)?", image) for image in re.findall(r"image: (\S+)", text))
    mounted = [path.partition(":")[0] for path in re.findall(r"- \./(\S+)", text)]
    missing = [path for path in mounted if not (DEPLOY / path).is_file() and path not in MADE_BY_THE_ADMINISTRATOR]
    assert (missing, set(mounted) >= MADE_BY_THE_ADMINISTRATOR) == ([], True)
    networks = {name for names in re.findall(r"networks: \[(.*)\]", text) for name in names.split(", ")}
    assert networks == set(section("networks"))
    assert (DEPLOY / re.findall(r"dockerfile: deploy/(\S+)", text)[0]).is_file()
    assert "\t" not in text
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in text.splitlines())


def test_the_database_is_reached_from_inside_only() -> None:
    assert "networks: [inside]" in section("services")["postgres"]
    assert "internal: true" in section("networks")["inside"]
    assert [name for name, text in section("services").items() if "ports:" in text] == ["proxy"]


def test_the_image_is_made_of_files_there_are_and_runs_a_command_there_is_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert copied and [word for word in copied if not (ROOT / word).exists()] == []
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in kept if line.startswith("!")} == set(copied)
    (words,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    assert unknown_in(json.loads(words)) == []
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["xianjie"]
    (extras,) = re.findall(r"'\.\[(.*)\]'", text)
    declared = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert [extra for extra in extras.split(",") if f"\n{extra} =\n" not in declared] == []


# --- proxy ---


def passed_on() -> list[str]:
    """Addresses the proxy hands to the gateway."""
    found = re.findall(r"location (= )?(\S+) \{\s*proxy_pass http://xianjie;\s*\}", NGINX.read_text(encoding="utf-8"))
    return [address for _, address in found]


def test_the_proxy_passes_on_what_partners_use_and_no_page_of_operations(sqlite_url: str) -> None:
    world = World(sqlite_url)
    rules = {rule.rule for rule in create_site(world.context, lambda: world.now, public_url=None).url_map.iter_rules()}
    world.close()
    reached = {rule for rule in rules if any(_is_passed(address, rule) for address in passed_on())}
    kept_back = {rule for rule in rules - reached if not rule.startswith("/static/")}
    assert kept_back == {"/", "/metrics", "/healthz"}
    assert [address for address in passed_on() if not any(_is_passed(address, rule) for rule in rules)] == []


def _is_passed(address: str, rule: str) -> bool:
    return rule.startswith(address) if address.endswith("/") else rule == address


def test_the_proxys_limits_fit_the_gateways() -> None:
    text = NGINX.read_text(encoding="utf-8")
    assert f"client_max_body_size {MAX_REQUEST // 1024**2}m;" in text
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
    assert int(seconds) > LONGEST_WAIT
    assert "TLSv1.2 TLSv1.3;" in text
    assert text.count("{") == text.count("}")


def test_the_upstreams_are_the_services_of_compose_and_ports_of_this_machine() -> None:
    of_compose = (DEPLOY / "nginx" / "upstreams.compose.conf").read_text(encoding="utf-8")
    assert re.findall(r"server (\S+):8420", of_compose) == ["serve-1", "serve-2"]
    of_host = (DEPLOY / "nginx" / "upstreams.host.conf").read_text(encoding="utf-8")
    assert re.findall(r"server 127.0.0.1:(\d+)", of_host) == ["8421", "8422"]


@pytest.mark.parametrize("partners", ["partners.conf", "partners.mtls.conf"])
def test_nginx_itself_takes_the_configuration(partners: str, tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx here")
    text = NGINX.read_text(encoding="utf-8").replace("listen 443 ssl", f"listen unix:{tmp_path}/door ssl")
    text = text.replace("/var/log/nginx", str(tmp_path)).replace("/run/nginx.pid", f"{tmp_path}/pid")
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    shutil.copy(DEPLOY / "nginx" / "upstreams.host.conf", tmp_path / "upstreams.conf")
    shutil.copy(DEPLOY / "nginx" / partners, tmp_path / "partners.conf")
    make_certificate(tmp_path / "tls")
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "emerg" in done.stderr) == (0, False), done.stderr


def make_certificate(folder: Path) -> None:
    """One that signs itself, also as the partners' authority."""
    folder.mkdir()
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    for certificate in ("server.crt", "partners-ca.crt"):
        (folder / certificate).write_bytes(pem)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))


# --- the guide ---


def told_commands(text: str) -> Iterator[list[str]]:
    """Every `xianjie …` of a page, in a block or in a line, up to where the words end and something else begins."""
    for line in re.findall(r"(?<![\w./@-])xianjie ((?:[a-z-]|--)[^`#·|\\()\n]*)", text):
        words = [word for word in line.split() if not word.startswith("[")]
        if words and not words[0].endswith((".", ",", ";", ":")):
            yield [word.rstrip("].,;:") for word in words]


def test_every_command_the_guide_tells_exists() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    code = "\n".join([*re.findall(r"```.*?\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
    told = list(told_commands(code))
    assert len(told) > 30
    assert [(words, unknown) for words in told if (unknown := unknown_in(words))] == []


def test_every_file_of_deploy_the_guide_tells_exists() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    told = set(re.findall(r"deploy/[\w./@-]*[\w@]", text))
    assert told and [path for path in told if not (ROOT / path).exists()] == []


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert unknown_in(["serve", "--prot", "1"]) == ["--prot"]
    assert unknown_in(["serv"]) == ["serv"]
    assert unknown_in(["keys", "rotat", "X"]) == ["rotat"]
    assert unknown_in(["serve", "--no-work", "--port=1", "--help"]) == []
