#!/bin/sh
# Builds examon-dec_VERSION_ARCH.deb with its own Node, so that the machine needs none: sh deploy/deb/build.sh [FOLDER]
# In a clone after npm ci. COMPRESSION names another than xz, for tests.
set -eu
cd "$(dirname "$0")/../.."
out=$(mkdir -p "${1:-.}" && cd "${1:-.}" && pwd)
arch=$(dpkg --print-architecture)
case $arch in
  amd64) node_arch=x64 ;;
  arm64) node_arch=arm64 ;;
  *) echo "no build for $arch: ONNX runtime and DuckDB come for amd64 and arm64" >&2; exit 1 ;;
esac
maintainer="${DEBFULLNAME:-examon-dec developers} <${DEBEMAIL:-examon-dec@localhost}>"
version=$(node -p 'require("./package.json").version')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
lib=$root/usr/lib/examon-dec

# The npm package with exactly the dependencies of the lock file.
npm pack --silent --pack-destination "$work" >/dev/null
mkdir -p "$lib"
tar -xzf "$work/examon-dec-$version.tgz" -C "$lib" --strip-components=1
cp package-lock.json "$lib/"
# No install script is needed, and the ONNX runtime's would fetch GPU libraries.
(cd "$lib" && npm ci --silent --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund && rm package-lock.json)
# Native libraries of other systems: 220 MB.
find "$lib/node_modules/onnxruntime-node/bin" -mindepth 3 -maxdepth 3 -type d ! -path "*/linux/$node_arch" \
  -exec rm -r {} +
# What only developers of those packages use.
find "$lib/node_modules" -type f \( -name '.*' -o -name '*.d.ts' -o -name '*.map' -o -name 'index.html' \) -delete
install -D -m 755 node_modules/node/bin/node "$lib/node/node"

mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/system"
cat >"$root/usr/bin/examon-dec" <<'EOF'
#!/bin/sh
exec /usr/lib/examon-dec/node/node /usr/lib/examon-dec/bin/examon-dec.js "$@"
EOF
chmod 755 "$root/usr/bin/examon-dec"
for unit in deploy/systemd/*.service deploy/systemd/*.timer; do
  sed 's|/opt/examon-dec/node_modules/.bin/examon-dec|/usr/bin/examon-dec|
       s|^Documentation=.*|Documentation=man:examon-dec(1)|' "$unit" \
    >"$root/usr/lib/systemd/system/$(basename "$unit")"
done
install -D -m 644 deploy/systemd/examon-dec.sysusers "$root/usr/lib/sysusers.d/examon-dec.conf"
install -D -m 644 deploy/systemd/examon-dec.tmpfiles "$root/usr/lib/tmpfiles.d/examon-dec.conf"
# Paths as the service sees them.
mkdir -p "$root/etc/examon-dec"
sed 's|^model: .*|model: /var/lib/examon-dec/marconi100|
     s|^catalogue: .*|catalogue: /usr/lib/examon-dec/config/marconi100.catalogue.yaml|
     s|^http:|&\n  history_file: /var/lib/examon-dec/history.ndjson|' \
  config/marconi100.yaml >"$root/etc/examon-dec/config.yaml"
# shellcheck disable=SC2016  # It is the file that speaks of ${NAME}.
printf '%s\n' '# Variables that config.yaml names as ${NAME}.' 'KAFKA=localhost:9092' >"$root/etc/examon-dec/environment"
chmod 640 "$root/etc/examon-dec/config.yaml" "$root/etc/examon-dec/environment"

mkdir -p "$root/usr/share/man/man1" "$root/usr/share/bash-completion/completions" "$root/usr/share/doc/examon-dec"
gzip -9n <docs/examon-dec.1 >"$root/usr/share/man/man1/examon-dec.1.gz"
node_modules/node/bin/node bin/examon-dec.js completion bash \
  >"$root/usr/share/bash-completion/completions/examon-dec"
doc=$root/usr/share/doc/examon-dec
cp NOTICE "$doc/NOTICE"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
printf 'examon-dec (%s) unstable; urgency=medium\n\n  * What has changed: CHANGELOG.md.gz.\n\n -- %s  %s\n' \
  "$version" "$maintainer" "$(date -R)" | gzip -9n >"$doc/changelog.gz"
cat >"$doc/copyright" <<'EOF'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: examon-dec

Files: *
Copyright: 2026 the examon-dec developers
License: Apache-2.0
 See /usr/share/common-licenses/Apache-2.0, and NOTICE beside this file.

Files: usr/lib/examon-dec/node_modules/* usr/lib/examon-dec/node/*
Copyright: 2009-2026 their authors
License: several
 Each package has its licence in its folder; Node.js is under the MIT licence, with parts under others
 (https://github.com/nodejs/node/blob/main/LICENSE).
EOF
# What the package brings on purpose, or as npm has it.
mkdir -p "$root/usr/share/lintian/overrides"
cat >"$root/usr/share/lintian/overrides/examon-dec" <<'EOF'
# Its own Node, as its makers build it: the daemon needs a newer one than distributions have.
examon-dec: embedded-library *
examon-dec: hardening-no-pie *
examon-dec: unstripped-binary-or-object *
examon-dec: missing-dep-for-interpreter node *
examon-dec: executable-not-elf-or-script *
# Brokers and secrets stand in them.
examon-dec: non-standard-file-perm 0640 != 0644 *
EOF
cp -R deploy/prometheus deploy/grafana deploy/alertmanager "$doc/"

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<EOF
Package: examon-dec
Version: $version
Architecture: $arch
Maintainer: $maintainer
Section: net
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= 2.31), libstdc++6, systemd | systemd-standalone-sysusers
Description: streaming anomaly detection for supercomputers
 Trains Deep Embedded Clustering on ExaMon telemetry and scores live samples
 from Kafka or MQTT: flags, alarms, Prometheus metrics, a status page.
EOF
printf '/etc/examon-dec/config.yaml\n/etc/examon-dec/environment\n' >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "deploy/deb/$script" "$root/DEBIAN/$script"; done
dpkg-deb --root-owner-group -Z"${COMPRESSION:-xz}" --build "$root" "$out/examon-dec_${version}_${arch}.deb"
