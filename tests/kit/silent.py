"""Plugins that end or hold the process before a run has begun: which one, and how, is in a file beside the plugin."""

from __future__ import annotations

__all__ = ["SOURCE"]

SOURCE = '''
import ctypes
import faulthandler
import os
import time
from pathlib import Path

from harness import hookimpl
from harness.codec import Scale
from harness.dataset import Dataset, Outline
from harness_codecs.pillow_family import Jpeg
from harness_tasks.detection.models.demo import DemoDetector

FAULT = Path(__file__).with_name("fault.txt")  # not in the source, whose digest is a part of the key

def meet(place):
    """Do what the file says of this place: "load hang", "open crash", "outline exit"."""
    where, what = FAULT.read_text().split()
    if where == place:
        while what == "hang":
            time.sleep(0.1)
        if what == "crash":
            faulthandler.disable()
            ctypes.string_at(0)
        os._exit(0)

class Silent(Dataset):
    name = "silent"
    tasks = ("detection",)
    splits = ("test",)
    needs_root = False
    def open(self):
        meet("open")
        self.classes = ("person", "car", "truck", "bus", "sign", "light")
    def __len__(self):
        meet("len")
        return 2
    def outline(self, index):
        meet("outline")
        return Outline(str(index), 8, 8)
    def __getitem__(self, index):
        raise OSError("not there")
    def fingerprint(self):
        return "silent"

class Weak(DemoDetector):
    name = "weak"
    def available(self):
        meet("model")
        return super().available()
    def load(self, *arguments):
        meet("load")
        super().load(*arguments)

class Mute(Jpeg):
    name = "mute"
    def available(self):
        meet("codec")
        return None

@hookimpl
def harness_models():
    return [Weak]

@hookimpl
def harness_datasets():
    return [Silent]

@hookimpl
def harness_codecs():
    return [Mute]
'''
"""A plugin module with a model, a dataset and a codec."""
