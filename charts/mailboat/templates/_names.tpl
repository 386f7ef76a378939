{{/* Names that several templates share. */}}

{{- define "mailboat.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* `mailboat` for a release of that name, `RELEASE-mailboat` for another. */}}
{{- define "mailboat.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "mailboat.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "mailboat.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mailboat.operatorName" -}}
{{ include "mailboat.fullname" . }}-operator
{{- end -}}

{{- define "mailboat.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "mailboat.operatorName" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: name the account to use, because serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Relays let this pod in by these labels: they must not be changed by values. */}}
{{- define "mailboat.selectorLabels" -}}
app.kubernetes.io/name: mailboat
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "mailboat.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "mailboat.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: mailboat
{{- end -}}

{{/* REPOSITORY@DIGEST or REPOSITORY:TAG of the fields given in a dict, each with what it falls back to. */}}
{{- define "mailboat.imageOf" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}

{{- define "mailboat.image" -}}
{{- $image := .Values.image -}}
{{- include "mailboat.imageOf" (dict "repository" $image.repository "digest" $image.digest "tag" (default .Chart.AppVersion $image.tag)) -}}
{{- end -}}

{{/* A tag of its own is not overridden by the digest of the other image, nor is another repository. */}}
{{- define "mailboat.relayImage" -}}
{{- $own := .Values.relay.image -}}
{{- $image := .Values.image -}}
{{- $digest := $own.digest -}}
{{- if not (or $own.digest $own.tag $own.repository) -}}{{- $digest = $image.digest -}}{{- end -}}
{{- include "mailboat.imageOf" (dict "repository" (default $image.repository $own.repository) "digest" $digest "tag" (coalesce $own.tag $image.tag .Chart.AppVersion)) -}}
{{- end -}}

{{- define "mailboat.priorityClassName" -}}
{{- if .Values.priorityClass.create -}}
{{- default (include "mailboat.operatorName" .) .Values.priorityClass.name -}}
{{- else -}}
{{- .Values.priorityClass.name -}}
{{- end -}}
{{- end -}}

{{/* Not empty when the operator looks after resources in the release's own namespace. */}}
{{- define "mailboat.isOwnWatched" -}}
{{- if or (not .Values.watchNamespaces) (has .Release.Namespace .Values.watchNamespaces) -}}true{{- end -}}
{{- end -}}

{{/* What the restricted pod security standard asks of a container. */}}
{{- define "mailboat.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "mailboat.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 64464
runAsGroup: 64464
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Of what the test makes, in order of its weight; all of it goes once the test has passed. */}}
{{- define "mailboat.testMetadata" -}}
labels:
  {{- include "mailboat.labels" .root | replace "component: operator" "component: test" | nindent 2 }}
  {{- with .label }}
  {{ . }}
  {{- end }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* Of what the uninstallation makes. */}}
{{- define "mailboat.releaseMetadata" -}}
labels:
  {{- include "mailboat.labels" .root | replace "component: operator" "component: release" | nindent 2 }}
annotations:
  helm.sh/hook: post-delete
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
