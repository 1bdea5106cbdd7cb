"""What chats are sent, and what of their answers counts."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.errors import HookError
from pipeline.hooks import News, posting, webhook
from tests.hooks.chat import HANG_UP, SILENCE, chatting
from tests.servers import closed_port

KEY = "key-for-tests-0123456789"
FINE = (200, '{"errcode": 0, "errmsg": "ok"}')
NEWS = News(
    event="end",
    run_id="train-net-set-01234567",
    status="complete",
    exit_code=0,
    seconds=125.0,
    metrics={"accuracy": 0.97777, "loss": 0.0987},
    export_url="obs://bucket/results/train-net-set-01234567",
    host="node-1",
    command="python run.py",
)
BROKEN = News(
    event="failure",
    run_id="train-net-set-01234567",
    status="failed",
    exit_code=1,
    stage="train",
    error="the loss is nan\nin epoch 2 <& so on>",
    command="python run.py 数据=新",
)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_PAUSE_S", 0.0)


def hmac_by_openssl(key: str, text: str) -> str:
    """The HMAC-SHA256 as another program computes it, in base64."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is the other program")
    macopt = f"hexkey:{key.encode().hex()}"
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", macopt, "-binary"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return base64.b64encode(done.stdout).decode()


def test_wecom_is_sent_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group gets one text with what people ask first."""
    with chatting(FINE) as chat:
        monkeypatch.setenv("CHAT", f"{chat.url}/cgi-bin/webhook/send?key={KEY}")

        webhook.wecom(NEWS, url_env="CHAT")

    ((path, body),) = chat.posts
    assert path == f"/cgi-bin/webhook/send?key={KEY}"
    assert body["msgtype"] == "text"
    assert body["text"]["content"].splitlines() == [
        "MindRun: complete",
        "run: train-net-set-01234567",
        "accuracy: 0.9778",
        "loss: 0.0987",
        "duration: 2 min 5 s",
        "exported: obs://bucket/results/train-net-set-01234567",
        "host: node-1",
    ]


def test_a_message_in_chinese_tells_the_cause_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failure names stage and cause on one line each, and the command."""
    with chatting(FINE) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        webhook.wecom(BROKEN, url_env="CHAT", language="zh")

    lines = chat.posts[0][1]["text"]["content"].splitlines()
    assert lines[0] == "MindRun: 失败"
    assert "原因: the loss is nan in epoch 2 <& so on>" in lines
    assert lines[-1] == "续跑命令: python run.py 数据=新"


def test_a_long_message_keeps_to_the_bytes_that_wecom_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end is left out, and no character is cut in two."""
    with chatting(FINE) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        webhook.wecom(News("end", "运行" * 2000, "complete"), url_env="CHAT")

    text = chat.posts[0][1]["text"]["content"]
    assert len(text.encode()) <= 2048
    assert text.endswith("运…") or text.endswith("行…")


def test_dingtalk_gets_time_and_signature_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is what another program computes, quoted for a URL."""
    with chatting(FINE) as chat:
        monkeypatch.setenv("CHAT", f"{chat.url}/robot/send?access_token={KEY}")
        monkeypatch.setenv("SIGN", "word-for-tests")

        webhook.dingtalk(NEWS, url_env="CHAT", signature_env="SIGN")

    path, body = chat.posts[0]
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    assert query["access_token"] == KEY
    assert len(query["timestamp"]) == 13
    assert body["text"]["content"].startswith("MindRun: complete\n")
    expected = hmac_by_openssl("word-for-tests", f"{query['timestamp']}\nword-for-tests")
    assert query["sign"] == expected


def test_dingtalk_works_without_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """A robot that asks for a keyword only gets the plain address."""
    with chatting(FINE) as chat:
        monkeypatch.setenv("CHAT", f"{chat.url}/robot/send?access_token={KEY}")

        webhook.dingtalk(NEWS, url_env="CHAT")

    assert chat.posts[0][0] == f"/robot/send?access_token={KEY}"


def test_feishu_gets_time_and_signature_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """There time and secret are the key of an empty text."""
    with chatting((200, '{"code": 0, "msg": "success", "data": {}}')) as chat:
        monkeypatch.setenv("CHAT", f"{chat.url}/open-apis/bot/v2/hook/{KEY}")
        monkeypatch.setenv("SIGN", "word-for-tests")

        webhook.feishu(NEWS, url_env="CHAT", signature_env="SIGN")

    body = chat.posts[0][1]
    assert body["msg_type"] == "text"
    assert body["content"]["text"].startswith("MindRun: complete\n")
    assert len(body["timestamp"]) == 10
    assert body["sign"] == hmac_by_openssl(f"{body['timestamp']}\nword-for-tests", "")


def test_signatures_do_not_change() -> None:
    """A fixed time and secret give what was computed once by other means."""
    time, secret = "1599360473", "demo"

    feishu = webhook.feishu_signature(secret, time)
    dingtalk = webhook.dingtalk_signature(secret, time)

    assert feishu == hmac_by_openssl(f"{time}\n{secret}", "")
    assert dingtalk == hmac_by_openssl(secret, f"{time}\n{secret}")


def test_slack_is_sent_a_text_with_its_signs_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Slack would take for markup arrives as it was."""
    with chatting((200, "ok")) as chat:
        monkeypatch.setenv("CHAT", f"{chat.url}/services/T0/B0/{KEY}")

        webhook.slack(BROKEN, url_env="CHAT")

    assert "cause: the loss is nan in epoch 2 &lt;&amp; so on&gt;" in chat.posts[0][1]["text"]


def test_any_server_gets_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers stay numbers, and the message for people is there, too."""
    with chatting((204, "")) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        webhook.send_json(NEWS, url_env="CHAT")

    body = chat.posts[0][1]
    assert body["metrics"] == {"accuracy": 0.97777, "loss": 0.0987}
    assert (body["event"], body["exit_code"]) == ("end", 0)
    assert body["text"].startswith("MindRun: complete")


@pytest.mark.parametrize(
    ("sender", "answer", "words"),
    [
        (webhook.wecom, (200, '{"errcode": 93000, "errmsg": "invalid webhook url"}'), "93000"),
        (webhook.dingtalk, (200, '{"errcode": 310000, "errmsg": "sign not match"}'), "310000"),
        (webhook.feishu, (200, '{"code": 19021, "msg": "sign match fail"}'), "19021"),
        (webhook.slack, (200, "invalid_payload"), "invalid_payload"),
        (webhook.wecom, (200, "<html>log in first</html>"), "expected JSON"),
        (webhook.wecom, (200, "[]"), "expected JSON"),
        (webhook.feishu, (200, ""), "answered nothing"),
        (webhook.slack, (403, "invalid_token"), "403"),
        (webhook.send_json, (404, "no such page"), "404"),
    ],
)
def test_a_refusal_is_an_error_that_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
    sender: Callable[..., None],
    answer: tuple[int, str],
    words: str,
) -> None:
    """Also where the status says that all is well."""
    with chatting(answer) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        with pytest.raises(HookError, match=words):
            sender(NEWS, url_env="CHAT")

    assert len(chat.posts) == 1


@pytest.mark.parametrize("first", [(500, "oh"), (429, "slowly"), (503, ""), HANG_UP])
def test_what_may_pass_is_tried_once_more(monkeypatch: pytest.MonkeyPatch, first: object) -> None:
    """The second answer counts."""
    with chatting(first, FINE) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        webhook.wecom(NEWS, url_env="CHAT")

    assert len(chat.posts) == 2


def test_a_server_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second try the error says that nothing came."""
    monkeypatch.setattr(posting, "_SILENCE_S", 0.2)
    with chatting(SILENCE) as chat:
        monkeypatch.setenv("CHAT", chat.url)

        with pytest.raises(HookError, match=r"nothing moved for 0\.2 s"):
            webhook.wecom(NEWS, url_env="CHAT")

    assert len(chat.posts) == 2


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is named, without the address."""
    monkeypatch.setenv("CHAT", f"http://127.0.0.1:{closed_port()}/hook/{KEY}")

    with pytest.raises(HookError, match="refused") as raised:
        webhook.feishu(NEWS, url_env="CHAT")

    assert KEY not in str(raised.value)


@pytest.mark.parametrize("value", ["", "  ", "qyapi.weixin.qq.com/x", "ftp://host/x"])
def test_a_variable_that_holds_no_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """It is named, and what it holds is not."""
    monkeypatch.setenv("CHAT", value)

    with pytest.raises(HookError, match="CHAT") as raised:
        webhook.wecom(NEWS, url_env="CHAT")

    assert "weixin" not in str(raised.value)


@pytest.mark.parametrize("sign", [" ", "\t", "\n", "\x7f", "\u3000"])
def test_an_address_with_a_blank_within(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    """Refused before a library tells half of it in words of its own."""
    monkeypatch.setenv("CHAT", f"https://127.0.0.1/services/{KEY}{sign}x")

    with pytest.raises(HookError, match="CHAT holds a blank") as caught:
        webhook.slack(NEWS, url_env="CHAT")

    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_language_nobody_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names those that there are."""
    monkeypatch.setenv("CHAT", "http://127.0.0.1:1")

    with pytest.raises(HookError, match="expected en or zh"):
        webhook.wecom(NEWS, url_env="CHAT", language="cn")


def test_news_go_over_as_json() -> None:
    """What a hook is told holds plain values only."""
    from dataclasses import asdict

    assert json.loads(json.dumps(asdict(NEWS)))["run_id"] == NEWS.run_id
