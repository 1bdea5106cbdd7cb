"""What `--name=value` means: a key of the job, or nobody's and kept for the record."""

from __future__ import annotations

import re

from omegaconf import DictConfig, OmegaConf

from pipeline.configuration.arguments import Setting
from pipeline.configuration.choices import Choices
from pipeline.configuration.origins import plain_key
from pipeline.configuration.overrides import Literals, keys_of
from pipeline.messages.spelling import did_you_mean, shortened

# Bare names (--epochs=3) are looked up below these keys.
_BARE_ROOTS = ("mode", "device")


def claim(
    config: DictConfig, setting: Setting, choices: Choices, literals: Literals
) -> Setting | None:
    """The setting of a key that a flag means; None where nobody claims it and it was kept."""
    if not setting.is_flag:
        return setting
    keys = keys_of(config)
    bare = [key for key in keys if key.split(".")[0] in _BARE_ROOTS and key.count(".") >= 1]
    named = plain_key(setting.key)
    ends = [named] if named in keys else [key for key in bare if key.rpartition(".")[2] == named]
    if len(ends) == 1 and not named.isdigit() and _fits(config, ends[0], setting.value):
        return Setting(setting.token, ends[0], setting.value)
    text = "true" if setting.value is None else setting.value
    # What is no UTF-8 could not be written to any file; Python hands it on as lone surrogates.
    text = re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    name = shortened(setting.key)
    OmegaConf.set_struct(config, False)
    kept = config.get("platform")
    if OmegaConf.is_dict(kept):
        kept[name] = literals.hide(text)
    short = [key.rpartition(".")[2] for key in bare if not key.rpartition(".")[2].isdigit()]
    question = did_you_mean(name, [*short, *choices.options, *keys])
    note = f"nobody claimed the flag --{name}; it is kept under platform.{name}"
    choices.notes.append("; ".join(filter(None, (note, question))))
    return None


def _fits(config: DictConfig, key: str, value: str | None) -> bool:
    """Whether the flag can mean this key: --platform=x must not replace a whole mapping."""
    is_mapping = OmegaConf.is_dict(OmegaConf.select(config, key, throw_on_missing=False))
    return not is_mapping or (value or "").lstrip().startswith("{")
