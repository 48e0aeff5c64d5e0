#!/usr/bin/env bash
# A Python repository: settings for pip and twine, packages, versions and files listed and deleted, who may read it
. "$LIB"
. "$ROOT/conformance/pip/index.sh"
project artifactregistry.googleapis.com iam.googleapis.com
gcloud artifacts repositories create pypi --repository-format=python --location="$REGION" --description 'Packages'
equal describe "$(gcloud artifacts repositories describe pypi --location="$REGION" --format='value(format)' 2>/dev/null)" PYTHON
contains settings "$(gcloud artifacts print-settings python --repository=pypi --location="$REGION")" "https://$REGION-python.pkg.dev/$PROJECT/pypi/"
gcloud artifacts repositories add-iam-policy-binding pypi --location="$REGION" --member=allAuthenticatedUsers --role=roles/artifactregistry.reader >/dev/null
file=$(wheel moshi-server 0.1.0)
upload "$file" "$(wheel moshi-server 0.2.0)"
list=(--repository=pypi --location="$REGION")
equal packages "$(gcloud artifacts packages list "${list[@]}" --format='value(name.basename())' 2>/dev/null)" moshi-server
equal versions "$(gcloud artifacts versions list --package=moshi-server "${list[@]}" --format='value(name.basename())' --sort-by=name 2>/dev/null)" $'0.1.0\n0.2.0'
contains files "$(gcloud artifacts files list "${list[@]}" --format='value(name)' 2>/dev/null)" moshi_server-0.1.0
gcloud artifacts versions delete 0.1.0 --package=moshi-server "${list[@]}" --quiet
equal 'versions after delete' "$(gcloud artifacts versions list --package=moshi-server "${list[@]}" --format='value(name.basename())' 2>/dev/null)" 0.2.0
gcloud artifacts packages delete moshi-server "${list[@]}" --quiet
upload "$(wheel other-package 1.0.0)"
FILE=other-package/other_package-1.0.0-py3-none-any.whl
equal 'a file' "$(gcloud artifacts files describe "$FILE" "${list[@]}" --format='value(owner.basename())' 2>/dev/null)" 1.0.0
gcloud artifacts files delete "$FILE" "${list[@]}" --quiet
refused 'NOT_FOUND' gcloud artifacts files describe "$FILE" "${list[@]}"
gcloud artifacts repositories delete pypi --location="$REGION" --quiet
