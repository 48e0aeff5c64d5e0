# Sourced by the cases: the life of a resource. A case writes main.tf with a variable `change` that is one, then two, and may define
# `drift`, which changes the live resource behind Terraform's back, and `gone`, which fails when something is left.
. "$CLIENT/provider.sh"
export TF_IN_AUTOMATION=1 TF_INPUT=0 TF_VAR_project=$PROJECT

head_tf() {
  cat <<T
terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}
variable "project" { type = string }
variable "change" {
  type    = string
  default = "one"
}
provider "google" {
  project = var.project
  region  = "$REGION"
  zone    = "$ZONE"
}
T
}

# plan_is CODE WHAT: 0 is an empty plan, 2 one with changes.
plan_is() {
  local code=0
  terraform plan -no-color -detailed-exitcode -var change="$CHANGE" >plan.log 2>&1 || code=$?
  [ "$code" = "$1" ] || {
    echo "$2: plan ended with $code, not $1" >&2
    cat plan.log >&2
    exit 1
  }
}

run_tf() {
  terraform "$@" >run.log 2>&1 || {
    tail -60 run.log >&2
    exit 1
  }
}

lifecycle() {
  head_tf >head.tf
  run_tf init -no-color
  CHANGE=one
  run_tf apply -no-color -auto-approve -var change=one
  plan_is 0 'after create'
  if grep -q 'var\.change' main.tf; then
    CHANGE=two
    plan_is 2 'before update'
    run_tf apply -no-color -auto-approve -var change=two
    plan_is 0 'after update'
  fi
  if declare -F drift >/dev/null; then
    drift
    plan_is 2 'after drift'
    run_tf apply -no-color -auto-approve -var change="$CHANGE"
    plan_is 0 'after the repair'
  fi
  run_tf destroy -no-color -auto-approve -var change="$CHANGE"
  equal 'state after destroy' "$(terraform state list)" ''
  if declare -F gone >/dev/null; then gone; fi
}

# absent URL: a read of what was destroyed is a 404.
absent() {
  equal "status of $1" "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(owner_token)" "$1")" 404
}
COMPUTE=https://compute.googleapis.com/compute/v1/projects/$PROJECT
