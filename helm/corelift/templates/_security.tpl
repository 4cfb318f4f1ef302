{{/* What both containers have in common. Nothing is gained by exec, nothing can be written but volumes. */}}
{{- define "corelift.confinement" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
seccompProfile:
  type: {{ .Values.seccompProfile.type }}
  {{- if eq .Values.seccompProfile.type "Localhost" }}
  localhostProfile: {{ required "seccompProfile.localhostProfile is missing: the path below the kubelet's seccomp folder" .Values.seccompProfile.localhostProfile }}
  {{- end }}
{{- end }}

{{/* AppArmor from Kubernetes 1.30 on. Context: dict "root" "profile" (a value of appArmorProfile). */}}
{{- define "corelift.appArmorProfile" -}}
{{- if semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version }}
appArmorProfile:
  type: {{ .profile.type }}
  {{- if eq .profile.type "Localhost" }}
  localhostProfile: {{ required "appArmorProfile: localhostProfile is missing: the name of the loaded profile" .profile.localhostProfile }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "corelift.appArmorAnnotation" -}}
{{- if eq .type "Localhost" -}}
{{ printf "localhost/%s" (required "appArmorProfile: localhostProfile is missing: the name of the loaded profile" .localhostProfile) }}
{{- else -}}
{{ ternary "unconfined" "runtime/default" (eq .type "Unconfined") }}
{{- end -}}
{{- end }}

{{/* AppArmor before Kubernetes 1.30 is an annotation for each container. */}}
{{- define "corelift.appArmorAnnotations" -}}
{{- if semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version }}
container.apparmor.security.beta.kubernetes.io/corelift-supervisor: {{ include "corelift.appArmorAnnotation" .Values.appArmorProfile.supervisor }}
container.apparmor.security.beta.kubernetes.io/corelift: {{ include "corelift.appArmorAnnotation" .Values.appArmorProfile.frontEnd }}
{{- end }}
{{- end }}

{{/*
The part that traces. Kubernetes gives no ambient capabilities, and without privilege escalation file capabilities count
for nothing: so it is uid 0, with everything dropped but two.
*/}}
{{- define "corelift.supervisorSecurityContext" -}}
{{ include "corelift.confinement" . }}
{{- include "corelift.appArmorProfile" (dict "root" . "profile" .Values.appArmorProfile.supervisor) }}
runAsUser: 0
runAsGroup: 0
runAsNonRoot: false
capabilities:
  drop: [ALL]
  add:
    # Stop a process of any user, and read its registers and memory: what a snapshot is made of.
    - SYS_PTRACE
    # Make the stop at high priority, so that it is short; give a target's threads one CPU where a client asks for a
    # small skew.
    - SYS_NICE
{{- end }}

{{/* The part that speaks TLS and gRPC: some user, and no capability at all. */}}
{{- define "corelift.frontEndSecurityContext" -}}
{{ include "corelift.confinement" . }}
{{- include "corelift.appArmorProfile" (dict "root" . "profile" .Values.appArmorProfile.frontEnd) }}
runAsUser: {{ .Values.frontEndUser }}
runAsGroup: {{ .Values.frontEndUser }}
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}
