# The tests of test/native, all of them, as they are: what they find on a host with control groups v1 they must find on one with v2 alone. A skipped one
# counts as failed. vitest is slow in an emulated machine (minutes for a file, an hour and more for all on a busy one), so this only runs when it is asked
# for: npm run vm -- native, or npm run vm -- native test/native/net.test.ts.
. /opt/tswarm/tests/lib.sh
OUT=/run/native.json
# Ten times the usual: processes are tens of times slower here.
TIMEOUT_MS=1200000

disk native rw || exit 1
[ -e /usr/bin/busybox ] || ln -s /bin/busybox /usr/bin/busybox
# An alternative, which only an installed package sets.
[ -e /usr/bin/cc ] || ln -s gcc /usr/bin/cc
# As on an installed Debian: containers of some tests are shown /usr, and nothing else of the machine.
mkdir -p /usr/lib64
cp -an /bin/. /usr/bin/ && cp -an /sbin/. /usr/sbin/ && cp -an /lib64/. /usr/lib64/
cp -an /lib/x86_64-linux-gnu/. /usr/lib/x86_64-linux-gnu/
cd /opt/native || exit 1
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin NO_COLOR=1 TSWARM_TEST_PATIENCE=10 \
	./node --no-memory-protection-keys node_modules/vitest/vitest.mjs run --project e2e --maxWorkers=2 \
	--reporter=default --reporter=json --outputFile=$OUT --testTimeout=$TIMEOUT_MS --hookTimeout=$TIMEOUT_MS \
	$(cat /opt/tswarm/native-files 2>/dev/null || echo test/native/) 2>&1 | sed 's/^/# /'
# A file that could not be loaded has no tests, and is one that failed.
jq -r '
	[.testResults[] | (.name | sub(".*/"; "")) as $file
		| if (.assertionResults | length) == 0 then {ok: false, name: $file, why: .message}
		  else .assertionResults[] | {ok: (.status == "passed"), name: "\($file): \(.fullName)", why: (.failureMessages // [.status] | join("\n"))} end]
	| to_entries[] | "\(if .value.ok then "ok" else "not ok" end) \(.key + 1) - \(.value.name | gsub("[\n#]"; " "))",
		(select(.value.ok | not) | .value.why | split("\n")[:12][] | "#   " + .)' $OUT
echo "1..$(jq '[.testResults[].assertionResults | if length == 0 then 1 else length end] | add' $OUT)"
