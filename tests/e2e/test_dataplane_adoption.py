# SPDX-License-Identifier: BSD-2-Clause
"""A data plane that is killed or leaves, and the next one that finds its flows: no packet of a flow
that it adopts is lost, repeated or changed meanwhile."""

import os
import re
import shutil
import threading
import time

import pytest

from layout import OURS as LAYOUT
from rtp import wait_until
from test_dataplane import ARRIVED_S, BPF_DIR, PORT_MAX, PORT_MIN, Driver, rtp, udp, wires

PACE_S = 0.001
OUT = ("0", "10.1.0.1:20000", "10.1.0.2:4000", "10.2.0.1:20002", "10.2.0.2:5000")
BACK = ("1", "10.2.0.1:20002", "10.2.0.2:5000", "10.1.0.1:20000", "10.1.0.2:4000")
SIZE_LEFT = "the tables stay as the daemon before made them"


class Stream:
    """RTP from one end to the other all the while, every packet looked at where it arrives."""

    def __init__(self, sender, to, receiver, came_from):
        self.sender, self.to, self.receiver, self.came_from = sender, to, receiver, came_from
        self.sent, self.got, self.wrong = 0, [], []
        self._sending = True
        self._threads = [threading.Thread(target=f, daemon=True)
                         for f in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        while self._sending:
            self.sender.sendto(rtp(self.sent), self.to)
            self.sent += 1
            time.sleep(PACE_S)

    def _receive(self):
        self.receiver.settimeout(1)
        while True:
            try:
                data, source = self.receiver.recvfrom(2048)
            except TimeoutError:
                if self._sending:
                    continue
                return
            seq = int.from_bytes(data[2:4], "big")
            if data != rtp(seq) or source[:2] != self.came_from:
                self.wrong.append((data, source))
            self.got.append(seq)

    def end(self):
        """Every packet came once, in order, unchanged, from our address. Returns how many."""
        self._sending = False
        for thread in self._threads:
            thread.join()
        assert not self.wrong, self.wrong[:3]
        assert self.got == list(range(self.sent)), \
            f"of {self.sent} came {len(self.got)}; " \
            f"missing {sorted(set(range(self.sent)) - set(self.got))[:10]}"
        return self.sent


@pytest.fixture
def ends(wires):
    near, far = udp(wires.near, "10.1.0.2", 4000), udp(wires.far, "10.2.0.2", 5000)
    yield near, far
    near.close()
    far.close()


@pytest.fixture
def start(wires):
    """Starts a driver; all are ended, and nothing of theirs may be left in the kernel."""
    started = []

    def start_one(**kwargs):
        started.append(Driver(wires.viaduct, wires.instance, **kwargs))
        assert started[-1].first_line == "ready", started[-1].close()
        return started[-1]
    try:
        yield start_one
        started[-1].close()
        assert started[-1].process.returncode == 0, started[-1].log
        wires.check_nothing_left()
    finally:
        for driver in started:
            if driver.process.poll() is None:
                driver.process.kill()
                driver.process.wait()
        shutil.rmtree(f"{BPF_DIR}/viaduct-{wires.instance}", ignore_errors=True)


def streams(near, far):
    return (Stream(near, ("10.1.0.1", 20000), far, ("10.2.0.1", 20002)),
            Stream(far, ("10.2.0.1", 20002), near, ("10.1.0.1", 20000)))


def resolved(driver, *flows):
    for flow in flows:
        driver.wait_path(flow, why="resolved")


@pytest.mark.parametrize("end", [Driver.kill, Driver.leave], ids=["killed", "left"])
def test_no_packet_is_lost_while_one_data_plane_ends_and_the_next_adopts(wires, start, ends, end):
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    running = streams(*ends)
    packets = 0
    for _ in range(4):
        time.sleep(0.2)
        end(driver)
        time.sleep(0.2)
        driver = start()
        out, back = driver.adopt(*OUT), driver.adopt(*BACK)
        assert driver.done() == 0
        now = driver.packets(out)
        assert now > packets, "statistics begin anew"
        packets = now
    time.sleep(0.2)
    sent = [stream.end() for stream in running]
    for flow, count in zip((out, back), sent):
        received, _, _, lost, out_of_order, ssrc, _ = driver.ask(f"stats {flow}").split()
        assert (int(received), lost, out_of_order, ssrc) == (count, "0", "0", "1234")
    # The counters are of all of them together.
    assert driver.counted("forwarded") == sum(sent)
    assert driver.path(out)["why"] == driver.path(back)["why"] == "resolved"


def test_packets_flow_on_while_no_daemon_knows_the_neighbour(wires, start, ends):
    driver = start()
    resolved(driver, driver.add(*OUT))
    driver.kill()
    wires.viaduct.run("ip", "neigh", "flush", "dev", "x0")
    near, far = ends
    running = Stream(near, ("10.1.0.1", 20000), far, ("10.2.0.1", 20002))
    time.sleep(0.2)
    driver = start()
    out = driver.adopt(*OUT)
    assert driver.done() == 0
    assert driver.path(out)["why"] == "resolved"
    time.sleep(0.5)
    assert running.end()
    resolved(driver, out)


def test_a_flow_that_nobody_adopts_goes_and_its_port_serves_again(wires, start, ends):
    near, far = ends
    driver = start()
    driver.add(*OUT)
    driver.kill()
    driver = start()
    near.sendto(rtp(1), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(1), "flows work until the adoption is done"
    assert driver.done() == 1
    assert driver.status()["flows"] == "0"
    before = driver.counted("drop_no_flow")
    near.sendto(rtp(2), ("10.1.0.1", 20000))
    far.settimeout(0.3)
    with pytest.raises(TimeoutError):
        far.recv(2048)
    assert driver.counted("drop_no_flow") == before + 1
    assert driver.adopt(*OUT) == "none"
    driver.add(*OUT)
    near.sendto(rtp(3), ("10.1.0.1", 20000))
    far.settimeout(ARRIVED_S)
    assert far.recv(2048) == rtp(3)


def test_a_latched_source_stays_latched(wires, start):
    first, second = udp(wires.near, "10.1.0.2", 4444), udp(wires.near, "10.1.0.2", 4446)
    far = udp(wires.far, "10.2.0.2", 5000)
    driver = start()
    driver.add(*OUT, "latch")
    first.sendto(rtp(0), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(0)
    driver.kill()
    # A latch that locks while no daemon is there.
    driver = start()
    flow = driver.adopt(*OUT, "latch")
    driver.done()
    assert driver.latched(flow) == "10.1.0.2:4444"
    second.sendto(rtp(1), ("10.1.0.1", 20000))
    far.settimeout(0.3)
    with pytest.raises(TimeoutError):
        far.recv(2048)
    first.sendto(rtp(2), ("10.1.0.1", 20000))
    far.settimeout(ARRIVED_S)
    assert far.recv(2048) == rtp(2)
    assert driver.packets(flow) == 2
    for s in (first, second, far):
        s.close()


def test_events_of_the_time_without_a_daemon_are_told_to_the_next(wires, start, ends):
    near, far = ends
    driver = start()
    driver.add(*OUT)
    driver.kill()
    near.sendto(rtp(0), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(0)
    driver = start()
    driver.adopt(*OUT)
    driver.done()
    wait_until(lambda: driver.status()["firsts"] == "1", 3, "the first packet to be told")


def test_other_sizes_are_taken_up_when_nothing_is_left_to_adopt(wires, start, ends):
    near, far = ends
    driver = start(capacity=1000)
    driver.add(*OUT)
    driver.kill()
    driver = start(capacity=2000)
    assert driver.adopt(*OUT) != "none"
    driver.done()
    assert driver.status()["max"] == "1000"
    near.sendto(rtp(1), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(1)
    driver.ask(f"del {driver.add('0', '10.1.0.1:20004', '-', '10.2.0.1:20006', '-')}")
    driver.kill()
    assert SIZE_LEFT in driver.log
    driver = start(capacity=2000)
    assert driver.done() == 1
    driver.kill()
    driver = start(capacity=2000)
    assert driver.status()["max"] == "2000"
    assert SIZE_LEFT not in driver.close()


def test_another_port_range_keeps_the_flows_outside_it(wires, start, ends):
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    running = streams(*ends)
    time.sleep(0.2)
    driver.kill()
    driver = start(ports=(30000, 39999))
    driver.adopt(*OUT)
    driver.adopt(*BACK)
    assert driver.done() == 0
    driver.add("0", "10.1.0.1:39998", "10.1.0.2:4000", "10.2.0.1:30000", "10.2.0.2:5000")
    time.sleep(0.2)
    for stream in running:
        stream.end()


def test_tables_of_another_layout_serve_until_ours_are_filled(wires, start, ends):
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    running = streams(*ends)
    time.sleep(0.2)
    driver.kill()
    base = f"{BPF_DIR}/viaduct-{wires.instance}"
    os.rename(f"{base}/{LAYOUT}", f"{base}/v0")
    driver = start()
    assert driver.adopt(*OUT) == "none"
    time.sleep(0.2)
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    time.sleep(0.2)
    assert driver.packets(out) == 0
    assert driver.done() == 0
    time.sleep(0.2)
    for stream in running:
        stream.end()
    assert driver.packets(out) > 0 and driver.packets(back) > 0
    assert os.listdir(base) == [LAYOUT]
    assert "another version's tables were replaced" in driver.close()


def test_a_start_that_dies_before_it_replaced_another_layout_costs_nothing(wires, start, ends):
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    running = streams(*ends)
    driver.kill()
    base = f"{BPF_DIR}/viaduct-{wires.instance}"
    os.rename(f"{base}/{LAYOUT}", f"{base}/v0")
    for _ in range(2):
        driver = start()
        driver.add(*OUT)
        time.sleep(0.1)
        driver.kill()
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    driver.done()
    time.sleep(0.2)
    for stream in running:
        stream.end()
    assert driver.packets(out) > 0
    assert os.listdir(base) == [LAYOUT]


def test_tables_of_other_elements_are_set_aside_and_serve_until_ours_are_filled(
        wires, start, ends):
    driver = start()
    out, back = driver.add(*OUT), driver.add(*BACK)
    resolved(driver, out, back)
    running = streams(*ends)
    driver.kill()
    base = f"{BPF_DIR}/viaduct-{wires.instance}"
    # As a program of the same version with another map would have left them.
    os.unlink(f"{base}/{LAYOUT}/vd_counters")
    driver = start()
    assert driver.adopt(*OUT) == "none"
    driver.add(*OUT)
    driver.add(*BACK)
    time.sleep(0.3)
    driver.done()
    time.sleep(0.2)
    for stream in running:
        stream.end()
    assert os.listdir(base) == [LAYOUT]
    assert "not of this version's making" in driver.close()


def test_a_start_that_fails_leaves_the_flows_as_they_were(wires, start, ends):
    near, far = ends
    driver = start()
    out = driver.add(*OUT)
    resolved(driver, out)
    driver.kill()
    # Ranges for which the tables that are there have no room.
    failing = Driver(wires.viaduct, wires.instance, ports=(1024, 65535))
    running = Stream(near, ("10.1.0.1", 20000), far, ("10.2.0.1", 20002))
    assert failing.first_line == ""
    failing.close()
    assert failing.process.returncode == 1
    assert running.end()
    driver = start()
    assert driver.packets(driver.adopt(*OUT)) > 0
    driver.done()


def test_a_device_that_was_replaced_meanwhile_is_attached_to(wires, start):
    driver = start()
    driver.add(*OUT)
    driver.kill()
    wires.far.run("ip", "link", "del", "e0")
    wires.wire(wires.far, "x0", 2)
    driver = start()
    out = driver.adopt(*OUT)
    back = driver.add(*BACK)
    driver.done()
    resolved(driver, out, back)
    near, far = udp(wires.near, "10.1.0.2", 4000), udp(wires.far, "10.2.0.2", 5000)
    near.sendto(rtp(1), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(1)
    far.sendto(rtp(2), ("10.2.0.1", 20002))
    assert near.recv(2048) == rtp(2)
    near.close()
    far.close()


def test_a_table_full_of_flows_is_adopted(wires, start):
    count = 4 * (PORT_MAX - PORT_MIN + 1)
    driver = start()
    driver.ask(f"fill {count}")
    driver.kill()
    driver = start()
    took = int(driver.ask(f"take {count}"))
    assert driver.done() == 0
    assert driver.status()["flows"] == str(count)
    opened = int(re.search(r"opened in (\d+) ns", driver.close()).group(1))
    print(f"{count} flows: opened in {opened / 1e9:.3f} s, adopted in {took / 1e9:.3f} s")
