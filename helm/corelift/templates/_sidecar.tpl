{{/*
The agent beside a container of your own pod. In your chart, with this one as a dependency named corelift:

  spec:
    shareProcessNamespace: true          # so that it sees your processes
    securityContext: {fsGroup: 1654}     # so that both of its containers can use their socket
    containers:
      - name: app ...
      {{- include "corelift.sidecar.containers" (dict "context" . "values" .Values.corelift) | nindent 6 }}
    volumes:
      {{- include "corelift.sidecar.volumes" (dict "context" . "values" .Values.corelift) | nindent 6 }}

It asks no API server: who may use it is who may exec into the pod, and what the policy says.
*/}}
{{- define "corelift.sidecar.containers" -}}
{{- $root := dict "Values" .values "Chart" (dict "Name" "corelift" "AppVersion" "0.1.0" "Version" "0.1.0") "Release" .context.Release "Capabilities" .context.Capabilities -}}
{{- include "corelift.containers" (dict "root" $root "kubernetes" false) -}}
{{- end }}

{{- define "corelift.sidecar.volumes" -}}
{{- $root := dict "Values" .values "Chart" (dict "Name" "corelift" "AppVersion" "0.1.0" "Version" "0.1.0") "Release" .context.Release "Capabilities" .context.Capabilities -}}
{{- include "corelift.volumes" (dict "root" $root "kubernetes" false) -}}
{{- end }}

{{/* Annotations that the pod needs before Kubernetes 1.30. */}}
{{- define "corelift.sidecar.annotations" -}}
{{- include "corelift.appArmorAnnotations" (dict "Values" .values "Capabilities" .context.Capabilities) -}}
{{- end }}
