"""Settings come from the environment or a file, and a wrong one is reported in one sentence."""

from pathlib import Path

import pytest

from streams.settings import Settings, SettingsError, load


def test_without_variables_the_defaults_hold() -> None:
    assert load({"PATH": "/bin"}) == Settings()


def test_variables_are_read() -> None:
    settings = load(
        {
            "DESKWATCH_BROKER": "kafka-1:9092,kafka-2:9092",
            "DESKWATCH_CLICKHOUSE": "https://clickhouse.example.org:8443",
            "DESKWATCH_POLICY": "policies",
            "DESKWATCH_CLOCK": "log",
            "DESKWATCH_PARTITIONS": "8",
            "DESKWATCH_SESSION": "9",
            "DESKWATCH_METRICS_PORT": "9100",
        }
    )
    assert settings == Settings(
        broker="kafka-1:9092,kafka-2:9092",
        clickhouse="https://clickhouse.example.org:8443",
        policy=Path("policies"),
        clock="log",
        partitions=8,
        session=9,
        metrics_port=9100,
    )


def test_a_url_without_a_port_gets_the_default_one() -> None:
    assert load({"DESKWATCH_CLICKHOUSE": "http://clickhouse/"}).clickhouse == "http://clickhouse:8123"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deskwatch.toml"
    file.write_text('database = "desk"\npartitions = 2\n')
    settings = load({"DESKWATCH_CONFIG": str(file), "DESKWATCH_PARTITIONS": "6"})
    assert (settings.database, settings.partitions) == ("desk", 6)


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    settings = load(
        {"DESKWATCH_CLICKHOUSE_PASSWORD_FILE": str(secret), "DESKWATCH_SHIFT_LEAD_URL": "json://user:hush@localhost"}
    )
    assert settings.clickhouse_password == "hush"
    assert settings.receivers == {"DESKWATCH_SHIFT_LEAD_URL": "json://user:hush@localhost"}
    assert "hush" not in repr(settings)


def test_the_board_url_is_no_receiver_and_the_token_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")
    settings = load(
        {
            "DESKWATCH_BOARD_URL": "https://board.example.org/desk",
            "DESKWATCH_API_TOKEN_FILE": str(tmp_path / "token"),
            "DESKWATCH_NOTIFY": "yes",
        }
    )
    assert (settings.board_url, settings.receivers) == ("https://board.example.org/desk", {})
    assert (settings.api_token, settings.notify) == ("hush", True)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DESKWATCH_RESTATE", "true", "is not yes or no"),
        ("DESKWATCH_NOTIFY", "perhaps", "is not yes or no"),
        ("DESKWATCH_BOARD_URL", "ftp://board", "is not the URL"),
        (
            "DESKWATCH_BROKR",
            "x:1",
            r"DESKWATCH_BROKR is not a setting of Deskwatch \(did you mean DESKWATCH_BROKER\?\)\.",
        ),
        ("DESKWATCH_XYZZY", "1", r"DESKWATCH_XYZZY is not a setting of Deskwatch\."),
        ("DESKWATCH_BROKER", "localhost", "DESKWATCH_BROKER = 'localhost' is not host:port, or several"),
        ("DESKWATCH_BROKER", "localhost:x", "is not host:port"),
        ("DESKWATCH_CLICKHOUSE", "localhost:8123", "is not a URL http://host:port"),
        ("DESKWATCH_CLOCK", "sun", r"DESKWATCH_CLOCK = 'sun' is not wall \(a running desk\) or log \(a replay\)\."),
        ("DESKWATCH_PARTITIONS", "0", "is not a number of partitions from 1 to 1024"),
        ("DESKWATCH_PARTITIONS", "many", "is not a number of partitions"),
        ("DESKWATCH_DATABASE", "desk`; DROP", "is not a ClickHouse database's name"),
        ("DESKWATCH_POLICY", "", "is not a policy file"),
        ("DESKWATCH_CONFIG", "/no/such.toml", "/no/such.toml cannot be read: No such file or directory"),
        ("DESKWATCH_CLICKHOUSE_PASSWORD_FILE", "/no/such", "The file that DESKWATCH_CLICKHOUSE_PASSWORD_FILE names"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as error:
        load({name: value})
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as error:
        load({"DESKWATCH_CLICKHOUSE": "http://default:hush@localhost:8123"})
    assert "hush" not in str(error.value)


def test_an_old_name_is_read_with_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deskwatch.toml"
    file.write_text("awake = 400\n")
    for _ in range(2):
        assert load({"DESKWATCH_AWAKE": "500"}).cached_subjects == 500
        assert load({"DESKWATCH_CONFIG": str(file)}).cached_subjects == 400
    rest = "rename it. The old name is read for this release only."
    assert capsys.readouterr().err.splitlines() == [
        f"DESKWATCH_AWAKE is now called DESKWATCH_CACHED_SUBJECTS: {rest}",
        f"awake in {file} is now called cached_subjects: {rest}",
    ]


def test_an_old_name_beside_the_new_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="are both set: keep DESKWATCH_CACHED_SUBJECTS, its new name"):
        load({"DESKWATCH_AWAKE": "1", "DESKWATCH_CACHED_SUBJECTS": "2"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("broker = 1.5", "broker in .* is not a text or a whole number"),
        ("nix = 1", "nix in .* is not a setting"),
        ("brokers = 'x:1'", r"\(did you mean broker\?\)"),
        ("broker = ", "is not TOML"),
        ("clickhouse_password = 'a'\nclickhouse_password_file = 'b'", "both set: keep one"),
    ],
)
def test_a_wrong_file_is_said_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "d.toml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        load({"DESKWATCH_CONFIG": str(tmp_path / "d.toml")})


def test_an_empty_secret_beside_its_file_counts_as_none(tmp_path: Path) -> None:
    """The embedded stack says so: what its caller has in the environment must not count."""
    (tmp_path / "password").write_text("hush\n")
    environment = {
        "DESKWATCH_CLICKHOUSE_PASSWORD": "",
        "DESKWATCH_CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "password"),
    }
    assert load(environment).clickhouse_password == "hush"
