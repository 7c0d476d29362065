{{- /* What several templates share. Names of objects are fixed: sidecars look for Service wasmer. */}}

{{- /* Where everything goes. helm install without -n means default, in which nobody wants it. */}}
{{- define "wasmer.namespace" -}}
{{- if .Values.namespace }}{{ .Values.namespace }}
{{- else if eq .Release.Namespace "default" }}istio-system
{{- else }}{{ .Release.Namespace }}
{{- end }}
{{- end }}

{{- /* Labels of an object. Argument: the name of its program. */}}
{{- define "wasmer.labels" -}}
app: {{ . }}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/component: {{ trimPrefix "autowasm-" . }}
app.kubernetes.io/part-of: autowasm
{{- end }}

{{- define "wasmer.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{- /* One installation a cluster: a second one would fight over Service wasmer. */}}
{{- define "wasmer.alone" -}}
{{- $found := lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "autowasm-controller" }}
{{- if $found }}
  {{- $notes := default dict $found.metadata.annotations }}
  {{- $name := get $notes "meta.helm.sh/release-name" }}
  {{- $namespace := get $notes "meta.helm.sh/release-namespace" }}
  {{- if not $name }}
    {{- fail "AutoWasm is in this cluster already, installed without Helm: delete what `autowasm manifests` prints, but for the CRD, then install the chart" }}
  {{- else if or (ne $name .Release.Name) (ne $namespace .Release.Namespace) }}
    {{- fail (printf "AutoWasm is in this cluster already, as release %s in namespace %s, and a cluster has one: upgrade that one (helm upgrade %s ... -n %s) or uninstall it" $name $namespace $name $namespace) }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Whether the cluster has another version's CRD than the chart's: Helm leaves one that is there as it is. */}}
{{- define "wasmer.otherCRD" -}}
{{- $ours := .Files.Get "crds/autowasms.yaml" | fromYaml }}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $ours.metadata.name }}
{{- if $there }}
  {{- if ne (toJson $ours.spec.versions) (toJson $there.spec.versions) }}yes{{ end }}
{{- end }}
{{- end }}

{{- /* Three quarters of a quantity, in bytes. What a store may hold of its volume: the rest is for what is being written. */}}
{{- define "wasmer.quota" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- $_ := merge $units (dict "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976) }}
{{- $number := regexFind "^[0-9.]+" . }}
{{- mulf 0.75 (float64 $number) (get $units (trimPrefix $number .)) | floor | int64 }}
{{- end }}

{{- /* Whether a program has several replicas at all times. Argument: its values. */}}
{{- define "wasmer.several" -}}
{{- $least := .replicas }}
{{- with .autoscaling }}{{ if .enabled }}{{ $least = .minReplicas }}{{ end }}{{ end }}
{{- if gt (int $least) 1 }}yes{{ end }}
{{- end }}

{{- /* Labels and annotations of a pod. Argument: a dict of root, name, port and values. */}}
{{- define "wasmer.podMetadata" -}}
labels:
  {{- include "wasmer.labels" .name | nindent 2 }}
  sidecar.istio.io/inject: "false"
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $notes := dict }}
{{- if .root.Values.metrics.annotations }}
{{- $notes = dict "prometheus.io/scrape" "true" "prometheus.io/port" (toString .port) "prometheus.io/path" "/metrics" }}
{{- end }}
{{- with merge (deepCopy .values.podAnnotations) $notes }}
annotations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where a pod may run, and as whom. Argument: a dict of root and values. */}}
{{- define "wasmer.pod" -}}
{{- $root := .root -}}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
# Transfers that are under way at the end may take 25 s, after the pod left its Services.
terminationGracePeriodSeconds: 30
securityContext:
  runAsNonRoot: true
  {{- with $root.Values.runAsUser }}
  runAsUser: {{ int64 . }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- /* How replicas are spread. Argument: a dict of name and values. */}}
{{- define "wasmer.spread" -}}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
{{- $ours := dict "labelSelector" (dict "matchLabels" (dict "app" .name)) }}
{{- range .values.topologySpreadConstraints }}
  - {{- toYaml (merge (deepCopy .) $ours) | nindent 4 }}
{{- end }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app: {{ $.name }}
    # The pods of one version are counted: an upgrade begins anew.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}

{{- /* What all containers share. */}}
{{- define "wasmer.container" -}}
image: {{ include "wasmer.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- /* The life of a container that serves. */}}
{{- define "wasmer.life" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
# A pod that ends goes on answering until everybody knows that it left its Services.
lifecycle:
  preStop:
    sleep: {seconds: 4}
{{- end }}
