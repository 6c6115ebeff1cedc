package lib.training_test

import data.lib.training

_idle(fields) := object.union({"kind": "Deployment", "pods": [], "gpus": {"peak": 0}}, fields)

test_what_runs_to_completion_trains if {
	every kind in ["CronJob", "Job", "Notebook", "RayJob", "TrainJob", "Workspace"] {
		training.trains(_idle({"kind": kind}))
		training.may_train(_idle({"kind": kind}))
	}
	every policy in ["Never", "OnFailure"] {
		training.trains(_idle({"kind": "Pod", "pods": [{"restartPolicy": policy}]}))
	}
	every pod in [{}, {"restartPolicy": "Always"}, {"restartPolicy": 7}] {
		not training.trains(_idle({"kind": "Pod", "pods": [pod]}))
	}
}

test_a_label_adds_a_workload if {
	training.trains(_idle({"labels": {"pratique.dev/purpose": "training"}}))
	not training.trains(_idle({"labels": {"pratique.dev/purpose": "serving"}}))
	not training.trains(_idle({"labels": null}))
	training.trains(_idle({"kind": "Job", "labels": {"pratique.dev/purpose": "serving"}}))
}

test_what_may_train if {
	training.may_train(_idle({"inferred": true}))
	training.may_train(_idle({"gpus": {"peak": 1}}))
	training.may_train(_idle({"gpus": null}))
	not training.may_train(_idle({"gpus": {"peak": 1}, "servers": [{"framework": "vllm"}]}))
	not training.may_train(_idle({}))
	not training.trains(_idle({"inferred": true, "gpus": {"peak": 1}}))
}
