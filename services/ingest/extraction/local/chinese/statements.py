"""Chinese sentences that plainly are a decision, a task or an instruction."""

import re

_INSTRUCTION = re.compile(
    r"^(?:请|以后|从现在起|今后|麻烦)?[你您]?(?:以后|今后)?(?:请|都|总是|一直|永远|只|不要|别|务必)?"
    r"(?:再)?(?:用[\u4e00-\u9fff]{1,4}[语文](?:回答|回复|交流|说)|叫我|称呼我|简短地?回答|"
    r"回答(?:得|要)?(?:简短|简洁|详细))"
)
_TODO = re.compile(
    r"提醒我|别忘了|不要忘记|^待办|(?:记得|必须|需要).{0,12}(?:买|打电话|预约|交|寄|还|联系)"
)
_DECISION = re.compile(r"我们?(?:终于|已经|最后|最终)?(?:决定|选择了?|选定)")


def chinese_kind(text: str) -> str | None:
    """ "decision", "todo" or "instruction", else None."""
    if _INSTRUCTION.search(text):
        return "instruction"
    if _TODO.search(text):
        return "todo"
    return "decision" if _DECISION.search(text) else None
