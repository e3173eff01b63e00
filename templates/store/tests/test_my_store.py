"""The promises of every store (`harness.testing`), and what is special about this one."""

from harness_my_store import MyStore

from harness.records import RunInfo
from harness.testing import StorePromises


class TestMyStore(StorePromises):
    spec = "my-store"


def test_the_copy_is_of_before_the_last_run(tmp_path):
    store = MyStore(f"my-store:///{tmp_path}/results.db")
    info = RunInfo("harness run", "a machine", "cpu", {}, None)
    store.open()
    store.begin_run(info)
    store.begin_run(info)
    store.close()
    before = MyStore(f"{tmp_path}/results.db.before")
    before.open(write=False)
    assert len(before.runs()) == 1
    before.close()
