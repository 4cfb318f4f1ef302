{{/*
The two containers of an agent. Context: dict "root" (what templates get as dot, with this chart's values) and "kubernetes"
(whether the pod may ask the API server).
*/}}
{{- define "corelift.containers" -}}
{{- $root := .root }}
{{- $values := $root.Values }}
- name: corelift-supervisor
  image: {{ include "corelift.image" $root | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args:
    - supervisor
    - --listen=unix:/run/corelift/supervisor.sock
    - --front-end-uid={{ $values.frontEndUser }}
    # What it holds the front end to, whatever that asks for.
    - --max-stop-budget={{ $values.agent.maxStopBudget }}
    - --max-hold={{ $values.agent.maxHold }}
    - --max-captures={{ $values.agent.maxCaptures }}
  securityContext: {{- include "corelift.supervisorSecurityContext" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.supervisor | nindent 4 }}
  volumeMounts:
    - {name: corelift-run, mountPath: /run/corelift}
- name: corelift
  image: {{ include "corelift.image" $root | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args:
    - serve
    - --supervisor=unix:/run/corelift/supervisor.sock
    - --listen=unix:/run/corelift/agent.sock
    {{- if ne $values.tls.source "none" }}
    - --listen=https://{{ $values.listenAddress }}:{{ $values.tls.port }}
    - --tls-certificate=/run/corelift-tls/tls.crt
    - --tls-key=/run/corelift-tls/tls.key
    - --client-ca={{ if or $values.tls.clientCA.configMap $values.tls.clientCA.secret }}/run/corelift-client-ca/{{ $values.tls.clientCA.key }}{{ else }}/run/corelift-tls/ca.crt{{ end }}
    {{- end }}
    - --metrics-listen=http://{{ $values.listenAddress }}:{{ $values.telemetry.port }}
    {{- with $values.telemetry.otlp.endpoint }}
    - --otlp-endpoint={{ . }}
    - --otlp-protocol={{ $values.telemetry.otlp.protocol }}
    {{- end }}
    {{- if .kubernetes }}
    - --kubernetes=on
    - --kubernetes-audience={{ $values.kubernetes.audience }}
    {{- else }}
    - --kubernetes=off
    {{- end }}
    {{- if include "corelift.policyConfigMap" $root }}
    - --policy=/etc/corelift/policy.json
    {{- end }}
    {{- if $values.audit.enabled }}
    - --audit-log=/var/log/corelift/audit.jsonl
    {{- end }}
    - --default-stop-budget={{ $values.agent.defaultStopBudget }}
    - --max-stop-budget={{ $values.agent.maxStopBudget }}
    - --max-lease={{ $values.agent.maxLease }}
    - --max-hold={{ $values.agent.maxHold }}
    - --max-captures={{ $values.agent.maxCaptures }}
    - --stop-grace={{ $values.agent.stopGrace }}
    {{- with $values.agent.spoolBytes }}
    - --spool-bytes={{ . }}
    {{- end }}
    - --log-format={{ $values.agent.logFormat }}
    {{- range $values.agent.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - name: CORELIFT_AGENT
      value: unix:/run/corelift/agent.sock
    - name: NODE_NAME
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  ports:
    {{- if ne $values.tls.source "none" }}
    - {name: grpc, containerPort: {{ $values.tls.port }}, protocol: TCP}
    {{- end }}
    - {name: metrics, containerPort: {{ $values.telemetry.port }}, protocol: TCP}
  startupProbe:
    httpGet: {path: /livez, port: metrics}
    periodSeconds: 1
    failureThreshold: 30
  livenessProbe:
    httpGet: {path: /livez, port: metrics}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: {path: /readyz, port: metrics}
    periodSeconds: 5
    timeoutSeconds: 2
  securityContext: {{- include "corelift.frontEndSecurityContext" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.frontEnd | nindent 4 }}
  volumeMounts:
    - {name: corelift-run, mountPath: /run/corelift}
    {{- if ne $values.tls.source "none" }}
    - {name: corelift-tls, mountPath: /run/corelift-tls, readOnly: true}
    {{- if or $values.tls.clientCA.configMap $values.tls.clientCA.secret }}
    - {name: corelift-client-ca, mountPath: /run/corelift-client-ca, readOnly: true}
    {{- end }}
    {{- end }}
    {{- if .kubernetes }}
    - {name: corelift-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
    {{- end }}
    {{- if include "corelift.policyConfigMap" $root }}
    - {name: corelift-policy, mountPath: /etc/corelift, readOnly: true}
    {{- end }}
    {{- if $values.audit.enabled }}
    - {name: corelift-audit, mountPath: /var/log/corelift}
    {{- end }}
{{- end }}

{{/* The volumes of these containers; same context. */}}
{{- define "corelift.volumes" -}}
{{- $root := .root }}
{{- $values := $root.Values }}
# The sockets, and what the agent remembers of captures for the one after it.
- name: corelift-run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- if eq $values.tls.source "spiffe" }}
- name: corelift-tls
  csi:
    driver: {{ $values.tls.spiffe.driver }}
    readOnly: true
    volumeAttributes:
      spiffe.csi.cert-manager.io/fs-group: {{ $values.frontEndUser | quote }}
{{- else if ne $values.tls.source "none" }}
- name: corelift-tls
  secret: {secretName: {{ include "corelift.tlsSecret" $root }}, defaultMode: 0440}
{{- end }}
{{- if ne $values.tls.source "none" }}
{{- if $values.tls.clientCA.configMap }}
- name: corelift-client-ca
  configMap: {name: {{ $values.tls.clientCA.configMap }}}
{{- else if $values.tls.clientCA.secret }}
- name: corelift-client-ca
  secret: {secretName: {{ $values.tls.clientCA.secret }}, defaultMode: 0440, items: [{key: {{ $values.tls.clientCA.key }}, path: {{ $values.tls.clientCA.key }}}]}
{{- end }}
{{- end }}
{{- if .kubernetes }}
# What automountServiceAccountToken would give to both containers, for the front end alone.
- name: corelift-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}
{{- with include "corelift.policyConfigMap" $root }}
- name: corelift-policy
  configMap: {name: {{ . }}}
{{- end }}
{{- if $values.audit.enabled }}
- name: corelift-audit
  {{- toYaml $values.audit.volume | nindent 2 }}
{{- end }}
{{- end }}
