"""The texts that a person sees, in English and Chinese, from one source."""

from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "abandon_rate.high": ("Abandon rate is high", "放弃率过高"),
    "action.overdue": ("Improvement action is overdue", "改进措施逾期"),
    "age": ("oldest", "最久"),
    "agent": ("agent", "坐席"),
    "agent.overbreak": ("Break exceeds its limit", "小休超时"),
    "agent_id": ("agent", "坐席"),
    "all": ("all", "全部"),
    "at_risk": ("at risk", "即将超时"),
    "backlog": ("Backlog", "积压工单"),
    "behind": ("behind", "延迟"),
    "breach_rate": ("Breach rate, 1 h", "超时率（1 小时）"),
    "breach_rate.high": ("Breach rate is high", "超时率过高"),
    "breached": ("breached", "已超时"),
    "callback.overdue": ("Callback is overdue", "回访逾期"),
    "category": ("category", "类别"),
    "category.surge": ("Contact volume surges", "联络量激增"),
    "channel": ("channel", "渠道"),
    "clears_action.overdue": ("the action is done", "措施完成"),
    "clears_agent.overbreak": ("the break ends", "小休结束"),
    "clears_at": ("the value is back at {limit} or better", "指标恢复至 {limit} 或更好"),
    "clears_back": ("the value is back within its limits", "指标恢复正常"),
    "clears_callback.overdue": ("the customer is called back", "完成回访"),
    "clears_category.surge": ("contact volume is back to normal", "联络量恢复正常"),
    "clears_complaint.risk": ("the listed signals are resolved, or decay", "上述信号得到处理，或随时间消退"),
    "clears_first_response": ("an agent replies to the customer", "坐席公开回复客户"),
    "clears_next_response": ("an agent replies to the customer", "坐席公开回复客户"),
    "clears_policy.short_notice": ("the policy takes effect", "政策生效"),
    "clears_resolution": ("the ticket is solved", "工单解决"),
    "clears_review.coverage": ("more of the solved tickets are reviewed", "补足已解决工单的质检"),
    "clears_ticket.silent": ("the customer gets an update", "向客户公开更新进展"),
    "clears_transfer.loop": ("the ticket is solved", "工单解决"),
    "clickhouse": ("ClickHouse", "ClickHouse"),
    "clickhouse_away": ("ClickHouse does not answer and is being restarted", "ClickHouse 无响应，正在重启"),
    "complaint.risk": ("Complaint risk", "投诉风险"),
    "csat": ("CSAT", "满意度"),
    "csat.low": ("Satisfaction is low", "满意度过低"),
    "customer": ("customer", "客户"),
    "data": ("Data", "数据目录"),
    "desk": (
        "Simulated service desk, {agents} agents, local time {time} ({zone}); its last {hours} hours are loaded first",
        "模拟服务台：{agents} 名坐席，当地时间 {time}（{zone}）；先补入最近 {hours} 小时的事件",
    ),
    "digest_count": ("{n} × {rule} ({severity})", "{n} × {rule}（{severity}）"),
    "digest_line": ("- {rule}: {about}, since {at} [{id}]", "- {rule}：{about}，{at} 起 [{id}]"),
    "digest_more": ("… and {n} more", "……另有 {n} 条"),
    "digest_title": ("{n} warnings", "{n} 条预警"),
    "dropped": ("The database of an earlier demo in {data} was dropped", "已清除 {data} 中上次演示的数据库"),
    "due_next": ("Due next", "即将到期"),
    "ended": (
        "Ended after {events} events; the data is kept in {data}",
        "已结束，共 {events} 条事件；数据保留在 {data}",
    ),
    "events_per_s": ("events per second", "事件/秒"),
    "first_response": ("first response", "首次响应"),
    "history": ("Loading the history: {events} events stored …", "正在补入历史事件：已存 {events} 条……"),
    "interval": ("95 % interval", "95% 置信区间"),
    "left": ("left", "剩余"),
    # The English lower_… are stored with warnings (complaint.risk), and verify compares them: they are not to change.
    "lower_abandoned_call": ("call the customer back", "回拨客户"),
    "lower_breach": ("settle the overdue ticket, and explain the delay", "尽快办结超时工单，并说明原因"),
    "lower_complaint": (
        "take up the complaint by its procedure: soothe, record, propose",
        "按投诉流程处理：安抚、记录、给出方案",
    ),
    "lower_keyword": ("let a complaint expert answer before others do", "由投诉专员优先回应"),
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
    "login": ("Login for BI tools", "BI 工具登录"),
    "login_is": ("user {user}, password {password}", "用户 {user}，密码 {password}"),
    "measure_clear_at": ("clears at", "解除线"),
    "measure_lower": ("lower bound", "下限"),
    "measure_n": ("cases", "样本数"),
    "measure_raise_at": ("limit", "预警线"),
    "measure_upper": ("upper bound", "上限"),
    "measure_value": ("value", "当前值"),
    "memory_over": (
        "Memory is running out: the broker uses {broker} MiB and never frees it. The demo ends here.",
        "内存即将耗尽：消息代理占用 {broker} MiB，且不会释放。演示到此结束。",
    ),
    "memory_short": (
        "Memory is low: the broker uses {broker} MiB and never frees it; the demo ends at {limit} MiB",
        "内存不足：消息代理占用 {broker} MiB，且不会释放；达到 {limit} MiB 时演示将结束",
    ),
    "metric": ("metric", "指标"),
    "metrics": ("Metrics", "监控指标"),
    "next_response": ("next response", "后续响应"),
    "notification_about": ("About: {about}", "对象：{about}"),
    "notification_board": ("Board: {url}", "看板：{url}"),
    "notification_cause": ("Possible cause: {cause}", "可能原因：{cause}"),
    "notification_clears": ("Clears when: {how}", "解除条件：{how}"),
    "notification_due": ("Due: {at}", "到期：{at}"),
    "notification_elapsed": ("Time used: {elapsed} of {target}", "已用时：{elapsed}，时限：{target}"),
    "notification_folds": ("Other warnings of this incident: {n}", "同一事件的其他预警：{n} 条"),
    "notification_h": ("{h} h {min} min", "{h} 小时 {min} 分"),
    "notification_id": ("Message: {id}", "消息编号：{id}"),
    "notification_measures": ("Figures: {measures}", "数据：{measures}"),
    "notification_min": ("{min} min", "{min} 分"),
    "notification_parent": ("Parent ticket: {parent}", "父工单：{parent}"),
    "notification_reason": ("- {signal}: {points} points; {how}", "- {signal}：{points} 分；{how}"),
    "notification_rule": ("Rule: {rule} ({name})", "规则：{rule}（{name}）"),
    "notification_s": ("{s} s", "{s} 秒"),
    "notification_since": ("Since: {at}", "开始：{at}"),
    "notification_ticket": ("Ticket: {url}", "工单：{url}"),
    "notification_title": ("[{severity}] {rule}: {about}", "[{severity}] {rule}：{about}"),
    "open": ("open", "未解决"),
    "policy.short_notice": ("Policy change at short notice", "政策变更预告不足"),
    "queue": ("queue", "队列"),
    "rate": ("rate", "比率"),
    "resolution": ("resolution", "解决"),
    "review.coverage": ("Review coverage is low", "质检覆盖率过低"),
    "segment": ("segment", "客户分层"),
    "separator": (", ", "，"),
    "service_level": ("Service level", "服务水平"),
    "service_level.low": ("Service level is low", "服务水平过低"),
    "severe_complaints.high": ("Severe complaint rate is high", "重大投诉率过高"),
    "severity_critical": ("critical", "严重"),
    "severity_info": ("info", "提示"),
    "severity_warning": ("warning", "警告"),
    "signal_abandoned_call": ("abandoned call", "来电放弃"),
    "signal_breach": ("SLA breached", "SLA 超时"),
    "signal_complaint": ("complaint", "投诉"),
    "signal_keyword": ("keyword", "敏感词"),
    "signal_low_survey": ("low survey score", "评价偏低"),
    "signal_negative_sentiment": ("negative sentiment", "负面情绪"),
    "signal_policy_change": ("policy change in force", "政策变更"),
    "signal_reopening": ("reopened", "工单重开"),
    "signal_repeat_contact": ("repeat contact", "重复联络"),
    "signal_severity": ("severity", "严重程度"),
    "signal_silence": ("no public update", "长时间无更新"),
    "signal_sla_share": ("share of the SLA time used", "SLA 时限已用比例"),
    "signal_transfer": ("transfer", "工单转派"),
    "sla.at_risk": ("SLA at risk", "SLA 即将超时"),
    "sla.breached": ("SLA breached", "SLA 已超时"),
    "stored": ("events stored", "已存事件"),
    "team": ("team", "团队"),
    "ticket": ("ticket", "工单"),
    "ticket.silent": ("No public update", "长时间无更新"),
    "title": ("Deskwatch demo", "Deskwatch 演示"),
    "to_end": ("Press Ctrl-C to end", "按 Ctrl-C 结束"),
    "transfer.loop": ("Repeated transfers between teams", "反复转派"),
}


KEYS: Final = frozenset(_TEXTS)
"""The keys of the catalogue."""


def known(key: str) -> bool:
    """Whether the catalogue has a text for a key."""
    return key in _TEXTS


def text(key: str, language: Language, **values: object) -> str:
    """Return the text of a key, with `values` filled in; the key itself, if it is not in the catalogue."""
    texts = _TEXTS.get(key)
    return key if texts is None else texts[LANGUAGES.index(language)].format(**values)


def template(key: str, language: Language) -> str:
    """Return the text of a key of the catalogue, its values not filled in."""
    return _TEXTS[key][LANGUAGES.index(language)]
