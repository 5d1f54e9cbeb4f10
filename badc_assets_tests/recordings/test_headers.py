"""What headers say: GUANO, AudioMoth comments of every firmware, OpenSoundscape, FLAC comments, bext."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metamoth.parsing import parse_comment

from badc_assets.audio.tags import SoundTags
from badc_assets.recordings.audiomoth import audiomoth_statement
from badc_assets.recordings.headers import guano_statement, header_statements, opensoundscape_statement
from badc_assets.recordings.statements import Statement

ID = "24526B065D325963"


class TestGuano:
    def test_song_meter(self):
        chunk = (
            "GUANO|Version:1.0\nMake:Wildlife Acoustics, Inc.\nModel:Song Meter Mini\nSerial:SMA00646\n"
            'WA|Song Meter|Prefix:SMA00646\nWA|Song Meter|Audio settings:[{"rate":24000,"gain":18}]\n'
            "Timestamp:2020-10-17 13:05:00+1:00\nLoc Position:54.75656 -1.59106\nTemperature Int:21.25\0\0"
        )
        assert guano_statement(chunk.encode()) == Statement(
            "GUANO",
            {"recorder": "Wildlife Acoustics, Inc. Song Meter Mini", "serial": "SMA00646", "start": "2020-10-17T13:05:00",
             "utc_offset": "+01:00", "latitude": 54.75656, "longitude": -1.59106, "temperature_c": 21.25, "gain": "18 dB"},
        )  # fmt: skip

    def test_audiomoth(self):
        chunk = (
            f"GUANO|Version:1.0\nMake:Open Acoustic Devices\nModel:AudioMoth\nSerial:{ID}\nOAD|Deployment ID:0011223344556677\n"
            "Timestamp:2024-05-28T10:00:00Z\nLoc Position:50.100000 -2.250000\nOAD|Loc Source:GPS\n"
            "OAD|Recording Settings:48000 GAIN 2 LPF 8000\nOAD|Battery Voltage:3.8\nTemperature Int:-12.8"
        )
        values = guano_statement(chunk.encode()).values
        assert values["deployment"] == "0011223344556677"
        assert (values["start"], values["utc_offset"]) == ("2024-05-28T10:00:00", "UTC")
        assert (values["gain"], values["battery_v"], values["temperature_c"]) == ("medium", 3.8, -12.8)

    @pytest.mark.parametrize("volts", ["2.4", "5.0"])
    def test_a_bound_is_no_voltage(self, volts: str):
        assert "battery_v" not in guano_statement(f"GUANO|Version:1.0\nOAD|Battery Voltage:{volts}".encode()).values

    def test_no_fix_is_no_place(self):
        assert guano_statement(b"GUANO|Version:1.0\nLoc Position:0.000000 0.000000").values == {}

    def test_a_time_that_does_not_exist(self):
        statement = guano_statement(b"GUANO|Version:1.0\nTimestamp:2023-02-30T00:00:00Z")
        assert statement.values == {}
        assert "no such time" in statement.problem

    def test_damaged(self, capfd: pytest.CaptureFixture[str]):
        assert "damaged" in guano_statement(b"\xff\xfe\0GUANO").problem
        guano_statement(b"GUANO|Version:1.0\nLoc Position:here\nTE:x\nLength:?")
        assert capfd.readouterr().err == ""

    @given(
        st.one_of(
            st.binary(), st.text().map(lambda text: f"Timestamp:{text}\nLoc Position:{text}".encode("utf-8", "replace"))
        )
    )
    def test_any_bytes(self, chunk: bytes):
        assert guano_statement(chunk).source == "GUANO"


REST = "at medium gain while battery was 3.8V and temperature was 1.0C."
START = "Recorded at 10:25:00 04/04/2020"
FIRMWARES = [
    (f"{START} by AudioMoth {ID} at gain setting 2 while battery state was 4.7V", {"gain": "medium", "battery_v": 4.7}),
    (f"{START} (UTC) by AudioMoth {ID} at gain setting 0 while battery state was 4.3V", {"gain": "low", "battery_v": 4.3}),
    (f"{START} (UTC) by AudioMoth {ID} at gain setting 2 while battery state was < 3.6V.", {"gain": "medium"}),
    (f"{START} (UTC) by AudioMoth {ID} at gain setting 4 while battery state was greater than 4.9V. Recording cancelled before "
     "completion due to low battery voltage.", {"gain": "high"}),
    (f"{START} (UTC) by AudioMoth {ID} at medium-high gain setting while battery state was 4.2V and temperature was -3.4C. "
     "Amplitude threshold was 3.", {"gain": "medium-high", "battery_v": 4.2, "temperature_c": -3.4}),
    (f"{START} (UTC) by AudioMoth {ID} using external microphone at low gain while battery was less than 2.5V and temperature "
     "was 12.8C. Low-pass filter with frequency of 8.0kHz applied."
     " Amplitude threshold was 0.5% with 1s minimum trigger duration.",
     {"gain": "low", "temperature_c": 12.8}),
    (f"{START} (UTC) by AudioMoth {ID} at medium gain while battery was 3.8V and temperature was 12.8C."
     " Frequency trigger (9.0kHz and "
     "window length of 16 samples) threshold was 1% with 1s minimum trigger duration. Recording stopped by magnetic switch.",
     {"gain": "medium", "battery_v": 3.8, "temperature_c": 12.8}),
]  # fmt: skip


class TestAudioMoth:
    @pytest.mark.parametrize(("comment", "details"), FIRMWARES)
    def test_firmwares(self, comment: str, details: dict[str, Any]):
        expected = {
            "recorder": "AudioMoth",
            "serial": ID,
            "start": "2020-04-04T10:25:00",
            "utc_offset": "UTC",
            **details,
        }
        assert audiomoth_statement(comment) == Statement("AudioMoth comment", expected)

    @pytest.mark.parametrize(
        ("zone", "offset"),
        [("UTC", "UTC"), ("UTC-7", "-07:00"), ("UTC+10", "+10:00"), ("UTC-3:30", "-03:30"), ("UTC-0:30", "-00:30"),
         ("UTC+5:45", "+05:45")],
    )  # fmt: skip
    def test_zones(self, zone: str, offset: str):
        comment = f"{START} ({zone}) by AudioMoth {ID} at medium gain while battery was 3.8V and temperature was 1.0C."
        statement = audiomoth_statement(comment)
        assert statement is not None
        assert (statement.values["start"], statement.values["utc_offset"]) == ("2020-04-04T10:25:00", offset)

    def test_why_metamoth_is_not_asked_for_the_zone(self):
        comment = (
            f"{START} (UTC-3:30) by AudioMoth {ID} at medium gain while battery was 3.8V and temperature was 1.0C."
        )
        assert str(parse_comment(comment)["timezone"]) == "UTC-02:30"

    def test_a_deployment_is_not_the_device(self):
        comment = f"{START} (UTC) during deployment 0011223344556677 {REST}"
        statement = audiomoth_statement(comment, f"AudioMoth {ID}")
        assert statement is not None
        assert (statement.values["deployment"], statement.values["serial"]) == ("0011223344556677", ID)

    def test_an_unknown_wording_gives_time_and_device_and_says_so(self):
        statement = audiomoth_statement(f"{START} (UTC) by AudioMoth {ID} in a good mood.")
        assert statement is not None
        assert statement.values == {
            "recorder": "AudioMoth", "serial": ID, "start": "2020-04-04T10:25:00", "utc_offset": "UTC"
        }  # fmt: skip
        assert "unknown form" in statement.problem

    @pytest.mark.parametrize(
        "start", ["Recorded at 10:25:00 30/02/2020 (UTC)", "Recorded at 10:25:00 04/04/2020 (UTC+99)"]
    )
    def test_times_that_do_not_exist(self, start: str):
        comment = f"{start} by AudioMoth {ID} at medium gain while battery was 3.8V and temperature was 1.0C."
        statement = audiomoth_statement(comment)
        assert statement is not None
        assert "start" not in statement.values
        assert "no such time" in statement.problem

    @given(st.text(), st.text())
    def test_any_text(self, text: str, artist: str):
        audiomoth_statement(text, artist)
        assert audiomoth_statement(START + text, artist) is not None


class TestOthers:
    def test_a_clip_of_opensoundscape(self):
        comment = (
            'opso_metadata{"comment": "Recorded at 09:00:00 28/05/2024 (UTC) by AudioMoth 243B1F026488F56E at medium gain",'
            ' "recording_start_time": "2024-05-28T10:00:00+00:00", "gain_setting": "medium", "battery_state": 3.8,'
            ' "device_id": "AudioMoth 243B1F026488F56E", "temperature_C": 12.8}'
        )
        statement = opensoundscape_statement(comment)
        assert statement is not None
        assert statement.values == {
            "start": "2024-05-28T10:00:00", "utc_offset": "UTC", "recorder": "AudioMoth", "serial": "243B1F026488F56E",
            "gain": "medium", "battery_v": 3.8, "temperature_c": 12.8,
        }  # fmt: skip

    def test_frontier_labs(self):
        comments = {
            "recordingstart": "2021-04-27T10:30:30+10:00", "sensoruid": "0000000000012", "batterylevel": "90% (4.02 V)",
            "channelgain": "50dB", "sensorlocation": "-27.3888+152.8808",
        }  # fmt: skip
        (statement,) = header_statements(SoundTags(comments=comments))
        assert statement.values == {
            "recorder": "Frontier Labs", "start": "2021-04-27T10:30:30", "utc_offset": "+10:00", "serial": "0000000000012",
            "gain": "50dB", "battery_v": 4.02, "latitude": -27.3888, "longitude": 152.8808,
        }  # fmt: skip

    def test_bext_has_no_zone(self):
        (statement,) = header_statements(
            SoundTags(bext={"OriginationDate": "2023-05-01", "OriginationTime": "07:25:00"})
        )
        assert statement.values == {"start": "2023-05-01T07:25:00"}

    @given(
        st.text(),
        st.dictionaries(st.sampled_from(["recordingstart", "sensoruid", "batterylevel", "sensorlocation"]), st.text()),
    )
    def test_any_text(self, text: str, comments: dict[str, str]):
        bext = {"OriginationDate": text, "OriginationTime": text}
        header_statements(SoundTags(text.encode("utf-8", "replace"), {"ICMT": text, "IART": text}, bext, comments))
        header_statements(SoundTags(info={"ICMT": f"opso_metadata{text}"}))
