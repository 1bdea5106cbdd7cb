"""Hooks that tell a chat: WeCom, DingTalk, Feishu (Lark), Slack; and any server that takes JSON.

An address holds a key, so that a job only names the environment variable with it: `url_env`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from dataclasses import asdict
from typing import Any
from urllib.parse import quote_plus

from pipeline.errors import HookError
from pipeline.hooks.messages import text_of
from pipeline.hooks.news import News
from pipeline.hooks.posting import post

# WeCom takes a text of 2048 bytes, the others more.
_LONGEST_BYTES = 2000


def wecom(news: News, *, url_env: str, language: str = "en") -> None:
    """A group of WeCom (企业微信) is told.

    As developer.work.weixin.qq.com describes it under 消息推送配置说明 (群机器人配置说明).

    Raises:
        HookError: it was not; the message says why.
    """
    body = {"msgtype": "text", "text": {"content": _text(news, language)}}
    _accepted(post(_address(url_env), body, who="WeCom"), "errcode", "errmsg", who="WeCom")


def dingtalk(news: News, *, url_env: str, signature_env: str = "", language: str = "en") -> None:
    """A group of DingTalk (钉钉) is told; `signature_env` names the variable with its 加签 secret.

    As open.dingtalk.com describes it under 自定义机器人接入 and 自定义机器人安全设置.

    Raises:
        HookError: it was not; the message says why.
    """
    url = _address(url_env)
    if signature_env:
        time_ms = str(time.time_ns() // 1_000_000)
        sign = quote_plus(dingtalk_signature(_secret(signature_env), time_ms))
        url += f"{'&' if '?' in url else '?'}timestamp={time_ms}&sign={sign}"
    body = {"msgtype": "text", "text": {"content": _text(news, language)}}
    _accepted(post(url, body, who="DingTalk"), "errcode", "errmsg", who="DingTalk")


def feishu(news: News, *, url_env: str, signature_env: str = "", language: str = "en") -> None:
    """A group of Feishu (飞书) or Lark is told; `signature_env` names that of its 签名校验 secret.

    As open.feishu.cn describes it under 自定义机器人使用指南.

    Raises:
        HookError: it was not; the message says why.
    """
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": _text(news, language)}}
    if signature_env:
        time_s = str(int(time.time()))
        signed = {"timestamp": time_s, "sign": feishu_signature(_secret(signature_env), time_s)}
        body = {**signed, **body}
    _accepted(post(_address(url_env), body, who="Feishu"), "code", "msg", who="Feishu")


def slack(news: News, *, url_env: str, language: str = "en") -> None:
    """A channel of Slack is told.

    As docs.slack.dev describes it under Sending messages using incoming webhooks.

    Raises:
        HookError: it was not; the message says why.
    """
    text = _text(news, language)
    for sign, spelled in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, spelled)
    answer = post(_address(url_env), {"text": text}, who="Slack")
    if answer.strip() != "ok":
        raise HookError(f"Slack answered {_shown(answer)}, expected ok; look at its webhook")


def send_json(news: News, *, url_env: str, language: str = "en") -> None:
    """A server of any kind gets all fields of the news as JSON, with the message as `text`.

    Raises:
        HookError: it answered another status than 2xx, or not at all.
    """
    post(_address(url_env), {**asdict(news), "text": text_of(news, language)}, who="the server")


def dingtalk_signature(secret: str, time_ms: str) -> str:
    """What DingTalk expects as `sign`, before it is quoted for the address."""
    code = hmac.new(secret.encode(), f"{time_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(code.digest()).decode()


def feishu_signature(secret: str, time_s: str) -> str:
    """What Feishu expects as `sign`: time and secret are the key, and nothing is signed with it."""
    code = hmac.new(f"{time_s}\n{secret}".encode(), b"", hashlib.sha256)
    return base64.b64encode(code.digest()).decode()


def _text(news: News, language: str) -> str:
    encoded = text_of(news, language).encode()
    if len(encoded) <= _LONGEST_BYTES:
        return encoded.decode()
    return encoded[:_LONGEST_BYTES].decode("utf-8", "ignore") + "…"


def _address(variable: str) -> str:
    url = _secret(variable)
    if not url.lower().startswith(("https://", "http://")):
        raise HookError(
            f"{variable} holds no address; expected the https:// one that the chat shows for "
            f"its robot. Set it to that."
        )
    # The library would refuse it in words that hold half of the address.
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        raise HookError(f"{variable} holds a blank within its address; expected none. Set it anew.")
    return url


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise HookError(f"the variable {variable} is not set; expected the robot's. Export it.")
    return value


def _accepted(answer: str, code_name: str, words_name: str, *, who: str) -> None:
    """These services answer with status 200 whatever they think, and with a code that is 0 if well.

    Raises:
        HookError: the code is another, or there is none.
    """
    try:
        told = json.loads(answer)
        code, words = told[code_name], told.get(words_name, "")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise HookError(
            f"{who} answered {_shown(answer)}, expected JSON with {code_name}; look at the address"
        ) from error
    if code != 0:
        raise HookError(
            f"{who} refused the message: {code_name} {code} ({_shown(str(words))}); look at the "
            f"robot's security settings (keyword MindRun, signature, addresses)"
        )


def _shown(answer: str) -> str:
    return " ".join(answer.split())[:200] or "nothing"
