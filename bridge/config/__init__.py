"""The configuration: ``config.yaml`` and the environment in, one frozen ``Config`` or every problem at once out."""

from bridge.config.advice import warnings as warnings
from bridge.config.loading import find as find
from bridge.config.loading import load as load
from bridge.config.schema import Config as Config
