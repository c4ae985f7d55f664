"""The exceptions of Deskwatch: one tree with one base. Each is defined where it is raised; this module imports nothing.

    DeskwatchError
      · UserError
        · SettingsError              settings
        · PolicyError                desk.policy.file
        · PolicyRefused              desk.policy.restatement
        · CheckpointRefused          desk.track.snapshot_header
        · TooManyDeadLetters         desk.track.dead_letter_limit
        · TopicError                 kafka.topics
        · LogError                   replay.log
        · ReplayError                replay.feeder
        · FormerRules                replay.restated
        · DeadLettersError           replay.dead_letters
        · ScenarioError              simulator.scenario
        · NotInstalled               embedded
        · DirectoryInUse             embedded.directory
        · NotPrivate                 embedded.private
        · NoDatabase                 embedded.client
        · StackError                 embedded.stack
        · BenchError                 bench.broker
        · TooShort                   bench.log
        · MigrationError             sinks.clickhouse.migrate
        · WriteError                 sinks.clickhouse.writer
        · Unreachable                cli.sql
        · Refused                    cli.errors
      · Fenced                       checkpoint.table
      · CheckpointTooLarge           checkpoint.changelog
      · NoEventAnyMore               desk.track.subject
      · UnknownMessage               sinks.clickhouse.rows
      · Miscounted                   sinks.clickhouse.writer
      · Stopped                      sinks.clickhouse.writer
      · DatabaseInUse                embedded.database
      · QueryError                   embedded.database
      · BodyError                    embedded.bodies
        · TooLarge                   embedded.bodies
      · Disconnect                   embedded.clickhouse
      · MemoryOver                   cli.demo
      · MacroError                   dashboards.grafana.macros
    StartRefused
      · BrokerUnreachable            kafka.producer
      · PortTaken                    sinks.metrics.page

`StartRefused` is separate because Faust catches every `Exception` of an app that starts.
"""

STOPPED_FOR_GOOD = 65
"""Exit status of a worker that ends with a UserError, which a restart would meet again; sysexits.h: EX_DATAERR."""


class DeskwatchError(Exception):
    """Base of every exception of ours: `except DeskwatchError` catches all of them but `StartRefused`."""


class UserError(DeskwatchError):
    """An error that the user can fix. The message says what is wrong, where, and what to do; a command prints it."""


class StartRefused(SystemExit):
    """A worker cannot start: ends the process, with one sentence on stderr."""
