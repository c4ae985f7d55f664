"""The words that a person sees, in English and Chinese, from one source."""

from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "age": ("oldest", "最久"),
    "all": ("all", "全部"),
    "at_risk": ("at risk", "有风险"),
    "backlog": ("Backlog", "积压工单"),
    "behind": ("behind", "延迟"),
    "breach_rate": ("Breach rate, 1 h", "超时率（1 小时）"),
    "breached": ("breached", "已超时"),
    "broker_memory": ("broker's memory", "消息代理内存"),
    "clickhouse": ("ClickHouse", "ClickHouse"),
    "clickhouse_away": ("ClickHouse does not answer; it is started again", "ClickHouse 无响应，正在重启"),
    "clock": ("clock", "时钟"),
    "csat": ("CSAT", "满意度"),
    "data": ("Data", "数据目录"),
    "desk": (
        "Simulated desk of {agents} agents, local time {time} ({zone}); its last {hours} hours are fed first",
        "模拟服务台：{agents} 名坐席，当地时间 {time}（{zone}）；先补入最近 {hours} 小时的事件",
    ),
    "due": ("due", "到期"),
    "due_next": ("Due next", "即将到期"),
    "dropped": ("The database of an earlier demo in {data} is dropped", "已清除 {data} 中上次演示的数据库"),
    "ended": ("Ended after {events} events; the data stay in {data}", "已结束，共 {events} 条事件；数据保留在 {data}"),
    "events_per_s": ("events a second", "事件/秒"),
    "first_response": ("first response", "首次响应"),
    "history": ("The history is fed: {events} events are stored …", "正在补入历史事件：已存 {events} 条……"),
    "interval": ("95 % interval", "95% 置信区间"),
    "left": ("left", "剩余"),
    "lower_abandoned_call": ("call the customer back", "回拨客户"),
    "lower_breach": ("settle the overdue ticket, and explain the delay", "尽快办结超时工单，并说明原因"),
    "lower_complaint": (
        "take up the complaint by its procedure: soothe, record, propose",
        "按投诉流程处理：安抚、记录、给出方案",
    ),
    "lower_keyword": ("let a complaint expert answer before others do", "由投诉专员抢先回应"),
    "lower_low_survey": ("ask what went wrong, and repair it", "回访差评原因并补救"),
    "lower_negative_sentiment": ("answer in person, with patience", "由坐席本人耐心回应"),
    "lower_policy_change": ("explain the new rules, and what applies to this customer", "解释新政策及其对该客户的影响"),
    "lower_reopening": ("agree on what settles it before it is closed again", "再次关单前与客户确认解决结果"),
    "lower_repeat_contact": ("let one agent take all of this customer's contacts", "由同一坐席统一跟进该客户"),
    "lower_severity": ("bring the damage to an end, and say so", "消除影响并告知客户"),
    "lower_silence": ("give the customer a word on how it stands", "主动告知客户进展"),
    "lower_sla_share": ("answer before the target is over", "在时限内处理"),
    "lower_transfer": ("keep the ticket where it is", "不再转派工单"),
    "lower_vip": ("give a VIP's tickets precedence", "优先处理 VIP 客户工单"),
    "memory_over": (
        "Memory runs out (the broker holds {broker} MiB and never forgets): the demo ends here",
        "内存即将耗尽（消息代理占用 {broker} MiB，且不会释放）：演示到此结束",
    ),
    "memory_short": (
        "Memory runs short: the broker holds {broker} MiB and never forgets; the demo ends at {limit} MiB",
        "内存不足：消息代理占用 {broker} MiB，且不会释放；达到 {limit} MiB 时演示将结束",
    ),
    "metric": ("metric", "指标"),
    "metrics": ("Metrics", "监控指标"),
    "next_response": ("next response", "后续响应"),
    "none_yet": ("none yet", "暂无"),
    "open": ("open", "未解决"),
    "queue": ("queue", "队列"),
    "rate": ("rate", "比率"),
    "resolution": ("resolution", "解决"),
    "service_level": ("Service level", "服务水平"),
    "stored": ("events stored", "已存事件"),
    "team": ("team", "团队"),
    "ticket": ("ticket", "工单"),
    "title": ("Deskwatch demo", "Deskwatch 演示"),
    "to_end": ("Ctrl-C ends it", "按 Ctrl-C 结束"),
}


def text(key: str, language: Language, **values: object) -> str:
    """The words of a key, with `values` filled in; a key that is not in the catalogue stands for itself."""
    words = _TEXTS.get(key)
    return key if words is None else words[LANGUAGES.index(language)].format(**values)
