"""A logger: each finished experiment becomes a run of MLflow, where `MLFLOW_TRACKING_URI` says (or in ./mlruns)."""

import os

from harness import hookimpl


@hookimpl
def harness_experiment_finished(run, experiment, status, totals, metrics):
    # MLflow asks for this before it writes to a folder. A server, or sqlite:///mlflow.db, does not need it.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow  # here, because it is slow to import

    client = mlflow.tracking.MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", "file:./mlruns"))
    known = client.get_experiment_by_name("codec-harness")
    folder = known.experiment_id if known else client.create_experiment("codec-harness")
    logged = client.create_run(folder, run_name=experiment.label, tags={"key": experiment.key, "run": str(run)})
    for name in ("codec", "level", "task", "model", "dataset"):
        client.log_param(logged.info.run_id, name, getattr(experiment, name))
    values = {"bpp": totals.bpp, "psnr": totals.psnr, **{metric.metric: metric.value for metric in metrics}}
    for name, value in values.items():
        if value is not None:  # an undefined metric has no value
            client.log_metric(logged.info.run_id, name, value)
    client.set_terminated(logged.info.run_id, "FINISHED" if status == "finished" else "FAILED")
