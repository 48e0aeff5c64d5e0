# Sourced by cases of Python clients: a repository, wheels, and the ways to name the index.
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_CONFIG_FILE=/dev/null PYTHONWARNINGS=ignore
unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX UV_INDEX_URL UV_DEFAULT_INDEX
HOST=$REGION-python.pkg.dev
REPOSITORY=https://$HOST/$PROJECT/pypi/

repository() {
  project artifactregistry.googleapis.com iam.googleapis.com iamcredentials.googleapis.com
  api POST "https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/$REGION/repositories?repositoryId=pypi" '{"format":"PYTHON"}' >/dev/null
  wait_for 'the repository' api GET "https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/$REGION/repositories/pypi" >/dev/null
}

# wheel NAME VERSION [BODY]: the path of a wheel with one module.
wheel() {
  local folder=src-$1-$2-$RANDOM module=${1//-/_}
  mkdir -p "$folder/$module"
  printf '%s\n' "${3:-answer = 42}" >"$folder/$module/__init__.py"
  printf '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "%s"\nversion = "%s"\n[tool.setuptools]\npackages = ["%s"]\n' "$1" "$2" "$module" >"$folder/pyproject.toml"
  /usr/bin/python3 -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir "$folder/dist" "./$folder"
  ls "$folder/dist/"*.whl
}

# upload FILE...
upload() {
  TWINE_PASSWORD=${TWINE_PASSWORD:-$(owner_token)} /usr/bin/twine upload --non-interactive --disable-progress-bar -u "${TWINE_USER:-oauth2accesstoken}" --repository-url "$REPOSITORY" "$@"
}

# account NAME: a service account's address.
account() {
  api POST "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" "{\"accountId\":\"$1\"}" >/dev/null
  echo "$1@$PROJECT.iam.gserviceaccount.com"
}

# grant ROLE MEMBER: on the repository.
grant() {
  api POST "https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/$REGION/repositories/pypi:setIamPolicy" "{\"policy\":{\"bindings\":[{\"role\":\"$1\",\"members\":[\"$2\"]}]}}" >/dev/null
}

index_as() { echo "https://$1:$2@$HOST/$PROJECT/pypi/simple/"; }
