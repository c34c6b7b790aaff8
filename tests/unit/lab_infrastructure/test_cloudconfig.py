"""The cloud-config a lab machine carries out, and all that it refuses."""

from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.infrastructure.cloudconfig import CloudConfig, File, Refused, parse

METADATA = {"instance_id": "lab/worker-1", "local_hostname": "worker-1"}

WORKER = b"""## template: jinja
#cloud-config

write_files:
-   path: /run/kubeadm/kubeadm-join-config.yaml
    owner: root:root
    permissions: '0640'
    content: |
      ---
      nodeRegistration:
        name: '{{ ds.meta_data.local_hostname }}'
        kubeletExtraArgs:
        - name: provider-id
          value: lab://{{ds.meta_data.instance_id}}
-   path: /run/cluster-api/placeholder
    owner: root:root
    permissions: '0640'
    content: "This placeholder file"
runcmd:
  - "echo before"
  - kubeadm join --config /run/kubeadm/kubeadm-join-config.yaml  && echo success > /run/cluster-api/bootstrap-success.complete
"""


def cloud(text: str) -> CloudConfig:
    return parse(f"#cloud-config\n{text}".encode(), METADATA)


def test_when_the_kubeadm_provider_writes_a_worker_its_files_and_commands_come_out() -> None:
    config = parse(WORKER, METADATA)
    assert [each.path for each in config.files] == [
        "/run/kubeadm/kubeadm-join-config.yaml",
        "/run/cluster-api/placeholder",
    ]
    assert config.files[0].mode == 0o640
    assert b"name: 'worker-1'" in config.files[0].content
    assert b"value: lab://lab/worker-1" in config.files[0].content
    assert config.commands == (
        "echo before",
        "kubeadm join --config /run/kubeadm/kubeadm-join-config.yaml  && "
        "echo success > /run/cluster-api/bootstrap-success.complete",
    )


@pytest.mark.parametrize("encoding", ["b64", "base64", "gz+b64", "gzip+base64", "gz+base64", "gzip+b64"])
def test_when_content_is_encoded_the_file_holds_the_plain_bytes(encoding: str) -> None:
    plain = bytes(range(256))
    packed = gzip.compress(plain) if encoding.startswith("gz") else plain
    text = base64.b64encode(packed).decode()
    (file,) = cloud(f"write_files: [{{path: /run/x, encoding: {encoding}, content: {text}}}]").files
    assert file == File(path="/run/x", content=plain)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))))
def test_when_text_is_base64_any_content_survives(text: str) -> None:
    packed = base64.b64encode(text.encode()).decode()
    (file,) = cloud(f"write_files: [{{path: /x, encoding: b64, content: '{packed}'}}]").files
    assert file.content.decode() == text


@pytest.mark.parametrize(
    ("written", "mode"), [("'0640'", 0o640), ("'755'", 0o755), ("0600", 0o600), ("'4755'", 0o4755)]
)
def test_when_permissions_are_given_they_are_octal(written: str, mode: int) -> None:
    (file,) = cloud(f"write_files: [{{path: /x, permissions: {written}}}]").files
    assert file.mode == mode


def test_when_a_command_is_a_list_its_words_stay_words() -> None:
    assert cloud("runcmd: [[echo, 'a b', '$HOME']]").commands == ("echo 'a b' '$HOME'",)


def test_when_there_are_boot_commands_they_are_kept_apart() -> None:
    config = cloud("bootcmd: ['modprobe x']\nruncmd: []")
    assert (config.boot_commands, config.commands) == (("modprobe x",), ())


def test_when_metadata_holds_an_expression_it_is_not_evaluated_again() -> None:
    data = b"## template: jinja\n#cloud-config\nruncmd: ['echo {{ ds.meta_data.name }}']\n"
    assert parse(data, {"name": "{{ ds.meta_data.name }}"}).commands == ("echo {{ ds.meta_data.name }}",)


def test_when_there_is_no_template_header_braces_are_text() -> None:
    assert cloud("runcmd: ['echo {{ x }}']").commands == ("echo {{ x }}",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("users: [{name: x}]", "not: users"),
        ("ntp: {enabled: true}\nmounts: []", "not: mounts, ntp"),
        ("write_files: [{path: relative}]", "write_files[0].path must be absolute"),
        ("write_files: [{path: /a/../../etc/x}]", "write_files[0].path must be absolute"),
        ("write_files: [{path: /a, permissions: rw}]", "permissions must be octal"),
        ("write_files: [{path: /a, owner: 'root; reboot'}]", "owner must be user"),
        ("write_files: [{path: /a, encoding: rot13}]", "encoding 'rot13' is not known"),
        ("write_files: [{path: /a, encoding: b64, content: '!!'}]", "content is not valid b64"),
        ("write_files: [{path: /a, encoding: gz+b64, content: QUFB}]", "content is not valid gz+b64"),
        ("write_files: [{path: /a, source: {uri: 'http://x'}}]", "not: source"),
        ("write_files: {}\nruncmd: 7", "runcmd must be a list"),
        ("runcmd: [{a: b}]", "runcmd[0] must be a string"),
        ("- a", "must be a mapping of modules"),
        ("a: [", "is not YAML"),
    ],
)
def test_when_the_data_asks_for_more_it_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        cloud(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "expression",
    ["{{ ds.meta_data.other }}", "{{ 7 * 7 }}", "{% if x %}", "{# note #}", "{{ ds.meta_data.__class__ }}"],
)
def test_when_a_template_says_more_than_metadata_it_is_refused(expression: str) -> None:
    with pytest.raises(Refused):
        parse(f"## template: jinja\n#cloud-config\nruncmd: ['{expression}']\n".encode(), METADATA)


@pytest.mark.parametrize("data", [b"#!/bin/sh\nreboot\n", b'{"ignition": {}}', b"\xff\xfe", b""])
def test_when_the_format_is_another_it_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        parse(data, METADATA)


def test_when_yaml_is_broken_the_message_does_not_hold_the_token() -> None:
    with pytest.raises(Refused) as refusal:
        cloud("runcmd: [abcdef.0123456789abcdef\n x: {")
    assert "0123456789abcdef" not in str(refusal.value)
    assert refusal.value.__suppress_context__
