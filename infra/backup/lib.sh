# Settings and steps that save and restore share. Sourced by both.
namespace=${NAMESPACE:-dream}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

k() { kubectl --namespace "$namespace" "$@"; }

say() { printf '%4ss  %s\n' "$SECONDS" "$*" >&2; }

# The Pod whose database takes writes: CloudNativePG says which it is, the single Pod has a fixed name.
database_pod() {
    local found
    found=$(k get pods --output name \
        --selector cnpg.io/cluster=postgres,cnpg.io/instanceRole=primary 2>/dev/null | head -n 1)
    echo "${found:-pod/postgres-0}"
}

in_database() { k exec -i "$(database_pod)" --container postgres -- "$@"; }

# A Pod that may speak to the object store, with MLflow's image and the application's keys.
store_pod=backup
start_store_pod() {
    local image
    image=$(k get deployment mlflow --output jsonpath='{.spec.template.spec.containers[0].image}')
    k delete pod "$store_pod" --ignore-not-found >/dev/null
    IMAGE=$image ENDPOINT=$(k get deployment mlflow \
        --output jsonpath='{.spec.template.spec.containers[0].env[?(@.name=="MLFLOW_S3_ENDPOINT_URL")].value}') \
        store_pod_manifest | k apply --filename - >/dev/null
    trap 'k delete pod "$store_pod" --ignore-not-found --wait=false >/dev/null' EXIT
    k wait --for=condition=Ready "pod/$store_pod" --timeout=300s >/dev/null
}

store_pod_manifest() {
    cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $store_pod
  labels: {dream.dev/job: "true"}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: store
      image: $IMAGE
      imagePullPolicy: IfNotPresent
      command: [sleep, infinity]
      env:
        - {name: AWS_ENDPOINT_URL, value: "$ENDPOINT"}
        - {name: AWS_DEFAULT_REGION, value: us-east-1}
      envFrom: [{secretRef: {name: dream-s3}}]
      resources:
        requests: {cpu: 50m, memory: 128Mi}
        limits: {cpu: "1", memory: 512Mi}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
YAML
}

# Runs store.py in that Pod, which is given as text: python store.py save|restore
in_store() { k exec -i "$store_pod" -- python -c "$(cat "$here/store.py")" "$@"; }
