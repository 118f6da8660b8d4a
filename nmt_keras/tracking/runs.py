"""Experiment tracking: a run takes parameters, metrics, data sets, figures, tables and one translation model.

The store is what MLFLOW_TRACKING_URI names; without it, sqlite:///mlflow.db in the working directory with the
artifacts in ./mlruns. Inside `mlflow run` the run that it opened is resumed.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from nmt_keras.config import flatten_dict
from nmt_keras.errors import UserError
from nmt_keras.system.files import read_object, write_json
from nmt_keras.tracking.git import git_tags
from nmt_keras.tracking.mlflow_client import load_mlflow, mlflow_errors, new_artifact_location, without_passwords
from nmt_keras.training.run_directory import MLFLOW_RUN

FLUSH_METRICS = 500  # MLflow takes up to 1000 in one batch
FLUSH_SECONDS = 5.0
PARAMETERS_PER_BATCH = 100  # MLflow's limit
PYFUNC_FILE = Path(__file__).parents[1] / "serving" / "pyfunc.py"
PYFUNC_PARAMETERS = ("beam_size", "n_best")  # of a request; 0 where one is not given
PYFUNC_PACKAGES = ("mlflow", "numpy", "pandas", "tensorflow", "tensorflow-text")


@dataclass(frozen=True)
class LoggedModel:
    """A model in the tracking store, not yet registered.

    Args:
        model_id: "m-" and 32 hexadecimal digits.
        model_uri: "models:/" and the identity; what `registry.register` and `registry.resolve` take.
    """

    model_id: str
    model_uri: str


class Run:
    """An open MLflow run; made by `start_run`.

    Args:
        run_id: MLflow's identity of the run.
        experiment_id: the experiment it belongs to.
    """

    def __init__(self, run_id: str, experiment_id: str) -> None:
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._client = load_mlflow().MlflowClient()
        self._metrics: list[Any] = []
        self._flushed = time.monotonic()

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which has a client of its own."""
        return Run, (self.run_id, self.experiment_id)

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log settings; nested mappings are flattened to dotted names.

        A name that the run has already keeps its value: `mlflow run` logs the entry point's parameters by
        itself, in the spelling of the command line, and MLflow allows no change.
        """
        from mlflow.entities import Param

        with mlflow_errors(UserError, "Logging parameters"):
            known = self._client.get_run(self.run_id).data.params
            new = [Param(key, str(value)) for key, value in flatten_dict(parameters).items() if key not in known]
            for start in range(0, len(new), PARAMETERS_PER_BATCH):
                self._client.log_batch(self.run_id, params=new[start : start + PARAMETERS_PER_BATCH])

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Note figures; they are written in batches, at the latest at the end of the run.

        A store that does not answer ends no training, and costs it a tenth of its time at most: the figures are kept,
        and written when it answers again before the run ends.

        Args:
            metrics: figure by name.
            step: the training update after which they were measured.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._metrics += [Metric(name, float(value), now, step) for name, value in metrics.items()]
        began = time.monotonic()
        if began - self._flushed >= FLUSH_SECONDS:
            try:
                self.flush()
            except UserError as error:  # after some minutes of MLflow's own attempts
                print(f"{error}\nThe figures are kept, and logged later.", file=sys.stderr)
                ended = time.monotonic()
                self._flushed = ended + 9 * (ended - began)

    def flush(self) -> None:
        """Write the figures noted so far."""
        with mlflow_errors(UserError, "Logging metrics"):
            while self._metrics:
                self._client.log_batch(self.run_id, metrics=self._metrics[:FLUSH_METRICS])
                del self._metrics[:FLUSH_METRICS]
        self._flushed = time.monotonic()

    def log_dataset(self, name: str, split: str, *, sha256: str, pairs: int, origin: str, context: str) -> Any:
        """Record which data the run read, without storing it.

        Args:
            name: of the corpus.
            split: "train", "valid", "test" or another test set's.
            sha256: hash of all pairs (hexadecimal); its first 32 digits identify the data set.
            pairs: number of sentence pairs.
            origin: a path, an address or a seed.
            context: what the run does with it: "training", "validation" or "evaluation".

        Returns:
            MLflow's data set, for the argument `dataset` of `log_translation_model`.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        web = origin.startswith(("http://", "https://"))
        dataset = Dataset(
            name=f"{name}-{split}",
            digest=sha256[:32],
            source_type="http" if web else "local",
            source=json.dumps({"url" if web else "uri": origin}),
            profile=json.dumps({"pairs": pairs, "split": split, "sha256": sha256}),
        )
        tags = [InputTag("mlflow.data.context", context)]
        with mlflow_errors(UserError, f"Logging data set {dataset.name}"):
            try:
                self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset, tags)])
            except MlflowException:  # another run of the experiment has logged the same data set meanwhile
                self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset, tags)])
        return dataset

    def log_image(self, path: Path, name: str) -> None:
        """Store an image file as the MLflow image NAME, which the run's page shows."""
        from PIL import Image

        with mlflow_errors(UserError, f"Logging image {path}"), Image.open(path) as image:
            self._client.log_image(self.run_id, image, key=name, step=0)

    def log_file(self, path: Path) -> None:
        """Store a file among the run's artifacts, under its own name."""
        with mlflow_errors(UserError, f"Logging {path}"):
            self._client.log_artifact(self.run_id, str(path))

    def log_table(self, columns: Mapping[str, Sequence[Any]], name: str) -> None:
        """Store columns of equal length, such as sources and hypotheses, as NAME.json, in place of an earlier one."""
        table = {key: list(column) for key, column in columns.items()}
        file = f"{name}.json"
        with mlflow_errors(UserError, f"Logging table {name}"):
            earlier = self._client.list_artifacts(self.run_id, os.path.dirname(file) or None)
            if file in {artifact.path for artifact in earlier}:  # log_table would append to it
                import pandas as pd  # type: ignore[import-untyped]

                self._client.log_text(self.run_id, pd.DataFrame(table).to_json(orient="split", index=False), file)
            else:
                self._client.log_table(self.run_id, table, file)

    def log_translation_model(
        self,
        saved_model: Path,
        model_directory: Path,
        *,
        metrics: Mapping[str, float],
        step: int = 0,
        dataset: Any = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        name: str = "model",
    ) -> LoggedModel:
        """Log one MLflow model: it serves strings, and carries the project's own model directory.

        Args:
            saved_model: directory of the SavedModel that translates strings (`serving_default`, `source`).
            model_directory: the project's model directory, which `registry.resolve` gives back.
            metrics: figures of the finished model, by name ("test_bleu"); logged with the run too.
            step: the training update the model stems from.
            dataset: what the metrics were measured on, from `log_dataset`.
            parameters: settings of the model, beside those of the run; nested mappings are flattened.
            tags: of the model.
            name: of the model within the run.

        Raises:
            UserError: a directory that does not exist, or MLflow cannot store the model.
        """
        for directory in (saved_model, model_directory):
            if not directory.is_dir():
                raise UserError(f"A model to log must be a directory. Received: {directory}.")
        self.flush()
        with mlflow_errors(UserError, f"Logging model {name!r}"), TemporaryDirectory() as temporary:
            import mlflow
            from mlflow.models import ModelSignature
            from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
            from mlflow.types.schema import AnyType

            artifacts = {"saved_model": str(saved_model), "model": str(model_directory)}
            for artifact, location in artifacts.items():
                if quote(location) != location:  # it is read as an address, in which they have a meaning
                    artifacts[artifact] = shutil.copytree(location, f"{temporary}/{artifact}")
            info = mlflow.pyfunc.log_model(  # with the run that is open, which is this one
                name=name,
                python_model=str(PYFUNC_FILE),
                artifacts=artifacts,
                pip_requirements=[f"{package}=={version(package)}" for package in PYFUNC_PACKAGES],
                # A named column takes the most forms of request, the empty list among them. As strings, MLflow would
                # give null and numbers to the model as text; as they are, the model refuses them.
                signature=ModelSignature(
                    inputs=Schema([ColSpec(AnyType(), name="source")]),
                    outputs=Schema([ColSpec(DataType.string)]),
                    params=ParamSchema([ParamSpec(name, DataType.long, 0) for name in PYFUNC_PARAMETERS]),
                ),
                params=flatten_dict(parameters or {}),
                tags=dict(tags or {}),
                step=step,
            )
            mlflow.log_metrics(
                {key: float(value) for key, value in metrics.items()},
                step=step,
                run_id=self.run_id,
                model_id=info.model_id,
                dataset=dataset,
            )
        return LoggedModel(model_id=info.model_id, model_uri=f"models:/{info.model_id}")


class UntrackedRun(Run):
    """A run of which nothing is kept: for work that no store is to know of."""

    def __init__(self) -> None:
        self.run_id = self.experiment_id = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return UntrackedRun, ()

    def _nothing(self, *_: Any, **__: Any) -> None:
        pass

    log_parameters = log_metrics = flush = log_dataset = log_image = log_file = log_table = _nothing

    def log_translation_model(self, *_: Any, **__: Any) -> LoggedModel:
        return LoggedModel("", "")


@contextmanager
def start_run(
    name: str,
    experiment: str,
    parent: Run | None = None,
    tags: Mapping[str, str] | None = None,
    earlier: str | None = None,
) -> Iterator[Run]:
    """Open a run and close it as FINISHED, as FAILED after an error, or as KILLED after Ctrl-C.

    A new run is tagged with the project's git commit. While it is open, the use of processors, memory, disk and
    network is sampled.

    Args:
        name: of the run; inside `mlflow run` the resumed run keeps its own.
        experiment: created if there is none of that name; MLFLOW_EXPERIMENT_NAME names another. A child and a
            resumed run stay in theirs.
        parent: the open run that this one is a part of.
        tags: of a new run.
        earlier: identity of a run to go on with, where the store still has it; inside `mlflow run`, whose run is
            resumed in any case, it is passed over.

    Raises:
        UserError: MLflow cannot open the run.
    """
    with mlflow_errors(UserError, f"Opening run {name!r}"):
        mlflow = load_mlflow()
        if parent is None and "MLFLOW_RUN_ID" in os.environ:
            settings = {}
        elif earlier is not None and _exists(earlier):
            settings = {"run_id": earlier}
        elif parent is not None:
            settings = {
                "run_name": name,
                "experiment_id": parent.experiment_id,
                "parent_run_id": parent.run_id,
            }
        else:
            settings = {
                "run_name": name,
                "experiment_id": _experiment_id(os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment),
            }
        info = mlflow.start_run(
            **settings,
            nested=parent is not None,
            tags=None if "run_id" in settings else {**git_tags(Path(__file__)), **(tags or {})},
            log_system_metrics=True,
        ).info
        run = Run(info.run_id, info.experiment_id)
    status = "FAILED"
    try:
        _check_artifact_store(info.artifact_uri)
        try:
            yield run
        finally:
            with _print_store_errors():
                run.flush()
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        with _print_store_errors(), mlflow_errors(UserError, f"Closing run {name!r}"):
            mlflow.end_run(status)


@contextmanager
def _print_store_errors() -> Iterator[None]:
    """What the store refuses at the end of a run must hide no other error, and make nothing fail that is done."""
    try:
        yield
    except UserError as error:
        print(error, file=sys.stderr)


@contextmanager
def resume_or_start_run(
    directory: Path, name: str, experiment: str, parent: Run | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """The run of what is made in a directory: `start_run`, or the run that an earlier call opened for it.

    Where the parent is untracked, so is the run.
    """
    if isinstance(parent, UntrackedRun):
        yield parent
        return
    with start_run(name, experiment, parent, tags, earlier_run(directory)) as run:
        write_json(directory / MLFLOW_RUN, {"run_id": run.run_id})
        yield run


def earlier_run(directory: Path) -> str | None:
    """The identity of the run that `resume_or_start_run` opened for a directory, if it did."""
    run_id = read_object(directory / MLFLOW_RUN).get("run_id")
    return run_id if isinstance(run_id, str) else None


def _experiment_id(name: str) -> str:
    mlflow = load_mlflow()
    if (experiment := mlflow.get_experiment_by_name(name)) is None:
        try:
            return str(mlflow.create_experiment(name, new_artifact_location()))
        except mlflow.exceptions.MlflowException as error:
            experiment = mlflow.get_experiment_by_name(name)
            if experiment is None:  # otherwise another process was first
                raise error
    return str(experiment.experiment_id)


def _exists(run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(load_mlflow().get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise  # a store that does not answer may have it
        return False


def _check_artifact_store(artifact_uri: str) -> None:
    # An experiment that a server created (`mlflow ui` creates "Default") takes artifacts through it only.
    tracking_uri = without_passwords(load_mlflow().get_tracking_uri())
    if artifact_uri.startswith("mlflow-artifacts:") and not tracking_uri.startswith("http"):
        raise UserError(
            "The experiment was created by a tracking server and takes artifacts through it only. "
            f"Received: MLFLOW_TRACKING_URI={tracking_uri}. Name another experiment (`mlflow run` takes "
            "--experiment-name), or set MLFLOW_TRACKING_URI to the server, such as http://127.0.0.1:5000."
        )
