"""The role escalate: escalation chains, messages to people, and the API for their actions.

risk-warnings, incident-warnings ──┬─> chains (one per partition) ──checkpoint──> escalations, risk-warnings, actions
HTTP API ──> actions ──────────────┘                └──> messages to receivers
"""

from sinks.notify import Notifier, addresses
from streams.agents.delivery import EscalationTable
from streams.agents.feed import feed
from streams.api import Api
from streams.checkpoint.app import CheckpointApp
from streams.checkpoint.table import wall_clock
from streams.desk.escalation.partition import Escalations
from streams.desk.policy.versions import Policies
from streams.models.topics import ACTIONS, ESCALATE_OUTPUTS, INCIDENTS, WARNINGS
from streams.settings import Settings

ESCALATE_INPUTS = (WARNINGS, INCIDENTS, ACTIONS)


def register(app: CheckpointApp, settings: Settings, policy: Policies) -> EscalationTable:
    """Declare the table of chains, its agents and, if it has a port, the API. Returns the table.

    Raises SettingsError for an address that cannot be read, or an API address that is not allowed.
    """
    wall = settings.clock == "wall"
    notifier = Notifier(addresses(policy, settings.receivers))

    def new_state(partition: int) -> Escalations:
        return Escalations(
            partition,
            settings.partitions,
            policy,
            addresses=notifier.known,
            wall=wall,
            notify=settings.notify,
            board_url=settings.board_url,
        )

    chains: EscalationTable = app.checkpoint_table(
        "chains",
        table=EscalationTable,
        send=notifier.send,
        new_state=new_state,
        inputs=ESCALATE_INPUTS,
        outputs=ESCALATE_OUTPUTS,
        partitions=settings.partitions,
        clock=wall_clock if wall else lambda: None,
    )
    feed(app, "escalate", chains)
    if settings.api_port:
        _serve_api(app, Api(settings))
    return chains


def _serve_api(app: CheckpointApp, api: Api) -> None:
    @app.task
    async def serve_api() -> None:
        await app.add_runtime_dependency(api)
