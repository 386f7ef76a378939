{{/* Names that several templates share. */}}

{{/*
`helm upgrade --reuse-values` gives the values of the chart before, in which every name is missing that is new: each gets what
values.yaml says. Only there, because a person takes a name out by null. New names are of the first two levels. Whatever reads values
before it writes labels includes this first.
*/}}
{{- define "mailboat.addNewValues" -}}
{{- $values := .Values -}}
{{- if not (hasKey $values "documentation") -}}
{{- range $name, $default := .Files.Get "defaults.yaml" | fromYaml -}}
{{- if not (hasKey $values $name) -}}
{{- $_ := set $values $name $default -}}
{{- else if and (kindIs "map" $default) (kindIs "map" (get $values $name)) -}}
{{- $group := get $values $name -}}
{{- range $inside, $one := $default -}}
{{- if not (hasKey $group $inside) -}}{{- $_ := set $group $inside $one -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

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

{{/* The ClusterRole that the owner of a namespace binds: of this release alone, as every object of the cluster is. */}}
{{- define "mailboat.secretsRoleName" -}}
{{ include "mailboat.fullname" . }}-secrets
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
{{ include "mailboat.labelsOf" (dict "root" . "component" "operator") }}
{{- end -}}

{{/*
Labels of an object: what pods are selected by wins over `extra`, `extra` over commonLabels, those over the chart's own. Each
stands once, which a template that lists them one after the other could not promise.
*/}}
{{- define "mailboat.labelsOf" -}}
{{- $root := .root -}}
{{- include "mailboat.addNewValues" $root -}}
{{- $selected := include "mailboat.selectorLabels" $root | fromYaml -}}
{{- $_ := set $selected "app.kubernetes.io/component" .component -}}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_")) "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service "app.kubernetes.io/part-of" "mailboat" -}}
{{- merge $selected (default dict .extra) $root.Values.commonLabels $own | toYaml -}}
{{- end -}}

{{/* `annotations:` with `extra` before commonAnnotations, or nothing. */}}
{{- define "mailboat.annotations" -}}
{{- with merge (dict) (default dict .extra) .root.Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
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

{{/* OpenShift gives each namespace a range of ids and refuses pods that ask for another. */}}
{{- define "mailboat.podSecurityContext" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- omit .Values.operator.podSecurityContext "runAsUser" "runAsGroup" "fsGroup" | toYaml -}}
{{- else -}}
{{- toYaml .Values.operator.podSecurityContext -}}
{{- end -}}
{{- end -}}

{{/* Names of all Secrets with registry credentials, joined by commas: charts write an entry as a name or as an object. */}}
{{- define "mailboat.pullSecretNames" -}}
{{- $names := list -}}
{{- range concat .Values.imagePullSecrets (default list (default dict .Values.global).imagePullSecrets) -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "string" . | ternary dict .) "name")) -}}
{{- end -}}
{{- uniq $names | join "," -}}
{{- end -}}

{{/* What every pod of the release has alike: where it runs, as whom, and how its image is had. */}}
{{- define "mailboat.podPlace" -}}
enableServiceLinks: false
{{- with include "mailboat.pullSecretNames" . }}
imagePullSecrets:
  {{- range splitList "," . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "mailboat.podSecurityContext" . | nindent 2 }}
{{- with .Values.operator }}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of what the test makes, in order of its weight; all of it goes once the test has passed. */}}
{{- define "mailboat.testMetadata" -}}
labels:
  {{- include "mailboat.labelsOf" (dict "root" .root "component" "test" "extra" .extra) | nindent 2 }}
{{ include "mailboat.annotations" (dict "root" .root "extra" (dict "helm.sh/hook" "test" "helm.sh/hook-weight" (toString .weight) "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) }}
{{- end }}

{{/* Of what the uninstallation makes. */}}
{{- define "mailboat.releaseMetadata" -}}
labels:
  {{- include "mailboat.labelsOf" (dict "root" .root "component" "release") | nindent 2 }}
{{ include "mailboat.annotations" (dict "root" .root "extra" (dict "helm.sh/hook" "post-delete" "helm.sh/hook-weight" (toString .weight) "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) }}
{{- end }}
