#!/bin/sh
# Lays out the root of the image: Node, the libraries it is linked with, and our bundles. No shell, no package manager.
# The Dockerfile runs this, and so does the build of the tests, which has no registry to pull a base from.
#   image/root.sh NODE BUNDLES ROOT
set -eu
node=$1 bundles=$2 root=$3

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/app" "$root/var/lib/mailboat"
mkdir -m 1777 "$root/tmp"
cp -L "$node" "$root/usr/local/bin/node"

# Each library goes where the loader of the image looks for it, which is where it is here: `NAME => PATH (0x...)` and,
# for the loader itself, `PATH (0x...)`.
libraries=$(ldd "$node" | sed -n 's|^[^/]*\(/[^ ]*\) (0x[0-9a-f]*)$|\1|p')
test -n "$libraries" || { echo "ldd names no library of $node" >&2; exit 1; }
for library in $libraries; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

# Node brings its own roots; programs that a debug container adds look here.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
printf '%s\n' 'root:x:0:0::/root:/sbin/nologin' 'mailboat:x:64464:64464::/var/lib/mailboat:/sbin/nologin' > "$root/etc/passwd"
printf '%s\n' 'root:x:0:' 'mailboat:x:64464:' > "$root/etc/group"

cp -R "$bundles/." "$root/app/"
# Whoever builds may have a umask of their own; whoever runs is another user.
chmod -R u+rwX,go+rX-w "$root/app" "$root/usr" "$root/etc"
