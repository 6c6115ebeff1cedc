"""The Kubernetes door: AdmissionReviews over HTTPS (k8s.io/api/admission/v1)."""
