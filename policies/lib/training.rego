# Which workloads train, or prepare what is trained on. Decided here once; nothing here reads `input`.
#
# What runs to completion is taken for training, because no manifest says what it is for: batch inference and evaluation read data
# all the same. What a Deployment runs is serving, unless it has GPUs and no model server that is known. The label
# pratique.dev/purpose: training adds a workload; no label takes one out.
package lib.training

import data.lib.values

# What runs to completion, notebooks, and what carries the label.
trains(subject) if object.get(subject, "kind", "") in _kinds

trains(subject) if {
	object.get(subject, "kind", "") == "Pod"
	runs_to_completion(subject)
}

trains(subject) if object.get(values.as_object(object.get(subject, "labels", {})), "pratique.dev/purpose", "") == "training"

# The same, and what may: kinds that are in no table, and GPUs that serve no model.
may_train(subject) if trains(subject)

may_train(subject) if object.get(subject, "inferred", false) == true

may_train(subject) if {
	object.get(subject, ["gpus", "peak"], 1) != 0
	count(object.get(subject, "servers", [])) == 0
}

# Whether a pod says that it is not started again once it has succeeded.
runs_to_completion(subject) if {
	some pod in subject.pods
	object.get(pod, "restartPolicy", "Always") in {"Never", "OnFailure"}
}

_kinds := {
	"AppWrapper",
	"ClusterTask",
	"ClusterTrainingRuntime",
	"ClusterWorkflowTemplate",
	"CronJob",
	"CronWorkflow",
	"JAXJob",
	"Job",
	"JobSet",
	"JobTemplate",
	"MPIJob",
	"MXJob",
	"NemoCustomizer",
	"Notebook",
	"PaddleJob",
	"Pipeline",
	"PipelineRun",
	"PyTorchJob",
	"RayCluster",
	"RayCronJob",
	"RayJob",
	"ScaledJob",
	"Sensor",
	"StepAction",
	"TFJob",
	"Task",
	"TaskRun",
	"TrainJob",
	"TrainingRuntime",
	"TriggerTemplate",
	"Workflow",
	"WorkflowTemplate",
	"Workspace",
	"XGBoostJob",
}
