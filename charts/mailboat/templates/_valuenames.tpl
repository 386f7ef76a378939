{{/*
A value that the chart does not know is refused with the nearest name that it knows. A schema cannot say that, so it lets unknown names
pass; valuenames.txt is made of it and has all that there are.
*/}}

{{- define "mailboat.checkNames" -}}
{{- $known := list -}}
{{- $groups := dict -}}
{{- range .Files.Lines "valuenames.txt" -}}
{{- if and . (not (hasPrefix "#" .)) -}}
{{- $known = append $known . -}}
{{- $_ := set $groups (include "mailboat.groupOf" .) true -}}
{{- end -}}
{{- end -}}
{{- include "mailboat.checkNamesIn" (dict "values" .Values "group" "" "known" $known "groups" $groups) -}}
{{- end -}}

{{/* What stands before the last dot; nothing of a name without one. */}}
{{- define "mailboat.groupOf" -}}
{{- if contains "." . -}}{{- regexReplaceAll "\\.[^.]*$" . "" -}}{{- end -}}
{{- end -}}

{{- define "mailboat.checkNamesIn" -}}
{{- $here := . -}}
{{- range $name, $value := .values -}}
{{- $path := list $here.group $name | compact | join "." -}}
{{- if contains "." $name -}}
{{- include "mailboat.refuse" (printf "%s: no value has a dot in its name: write one map in the other, as in values.yaml" $path) -}}
{{- else if not (has $path $here.known) -}}
{{- include "mailboat.refuse" (include "mailboat.unknownName" (dict "path" $path "name" $name "group" $here.group "known" $here.known)) -}}
{{- else if and (kindIs "map" $value) (hasKey $here.groups $path) -}}
{{- include "mailboat.checkNamesIn" (dict "values" $value "group" $path "known" $here.known "groups" $here.groups) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `helm lint` goes on after a fail: a template that is not there stops it, and its name is what is printed then. */}}
{{- define "mailboat.refuse" -}}
{{- fail . -}}
{{- include . $ -}}
{{- end -}}

{{/* What charts of others call it, where no letters lead from their name to ours. */}}
{{- define "mailboat.foreignNames" -}}
crds.create: crds.enabled
crds.install: crds.enabled
extraEnv: operator.env
image.name: image.repository
image.registry: image.repository
installCRDs: crds.enabled
podMonitor: metrics.monitor
prometheus: metrics.monitor
rbac.enabled: rbac.create
serviceMonitor: metrics.monitor
{{- end -}}

{{- define "mailboat.unknownName" -}}
{{- $nearest := get (include "mailboat.foreignNames" . | fromYaml) .path | default (include "mailboat.nearestName" .) -}}
{{- if $nearest -}}
{{ .path }}: is no value: did you mean {{ $nearest }}?
{{- else -}}
{{- $group := .group -}}
{{- $siblings := list -}}
{{- range .known -}}
{{- if eq (include "mailboat.groupOf" .) $group -}}{{- $siblings = append $siblings (splitList "." . | last) -}}{{- end -}}
{{- end -}}
{{ .path }}: is no value: {{ $group | default "this chart" }} has {{ join ", " $siblings }}
{{- end -}}
{{- end -}}

{{/*
The name that shares most of its letter pairs with the one that was written, and more than half; 15 percent count against one of
another group. Nothing when there is none.
*/}}
{{- define "mailboat.nearestName" -}}
{{- $asked := . -}}
{{- $pairs := include "mailboat.letterPairs" .name | splitList "," -}}
{{- $best := dict "score" 50 "path" "" -}}
{{- range $candidate := .known -}}
{{- $theirs := include "mailboat.letterPairs" (splitList "." $candidate | last) | splitList "," -}}
{{- $common := 0 -}}
{{- range $pairs -}}{{- if has . $theirs -}}{{- $common = add $common 1 -}}{{- end -}}{{- end -}}
{{- $score := div (mul 200 $common) (add (len $pairs) (len $theirs)) -}}
{{- if ne (include "mailboat.groupOf" $candidate) $asked.group -}}{{- $score = sub $score 15 -}}{{- end -}}
{{- if gt ($score | int) ($best.score | int) -}}
{{- $_ := set $best "score" $score -}}
{{- $_ := set $best "path" $candidate -}}
{{- end -}}
{{- end -}}
{{- $best.path -}}
{{- end -}}

{{- define "mailboat.letterPairs" -}}
{{- $name := lower . -}}
{{- $pairs := list -}}
{{- range $at := until (sub (len $name) 1 | int) -}}{{- $pairs = append $pairs (substr $at (add $at 2 | int) $name) -}}{{- end -}}
{{- join "," $pairs -}}
{{- end -}}
