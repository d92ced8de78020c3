/* SPDX-License-Identifier: BSD-2-Clause */
/* The CLI, run as a user runs it, against a daemon of stand-ins. Skips where build/viaduct is not
 * there yet. VIADUCT_CLI names another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <grp.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "test_control_fake.h"
#include "viaduct_control.h"

#define NOBODY     65534
#define OUTPUT_MAX (16 * 1024 * 1024)

static char cli[PATH_MAX];
static char *output; /* of the last run: standard output and error */
static pid_t daemon_pid;

static bool find_cli(void)
{
	const char *named = getenv("VIADUCT_CLI");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	/* <out>/tests/unit/test_control_cli */
	for (int i = 0; i < 3 && strrchr(self, '/'); i++)
		*strrchr(self, '/') = '\0';
	if (snprintf(cli, sizeof(cli), "%s%s", named ? named : self, named ? "" : "/viaduct") >=
		(int)sizeof(cli))
		return false;
	return access(cli, X_OK) == 0;
}

/* Runs "viaduct ARGS"; returns its exit status. */
static int run(const char *args)
{
	char command[PATH_MAX + 256];
	size_t len = 0, n;
	FILE *f;

	snprintf(command, sizeof(command), "%s %s 2>&1", cli, args);
	f = popen(command, "r");
	assert_non_null(f);
	while ((n = fread(output + len, 1, OUTPUT_MAX - len, f)) > 0)
		len += n;
	output[len] = '\0';
	n = (size_t)pclose(f);
	assert_true(WIFEXITED((int)n));
	return WEXITSTATUS((int)n);
}

static bool says(const char *text)
{
	if (strstr(output, text))
		return true;
	print_message("does not say \"%s\":\n%.4000s\n", text, output);
	return false;
}

static json_t *run_json(const char *args)
{
	json_error_t error;
	json_t *v;

	assert_int_equal(run(args), 0);
	v = json_loads(output, 0, &error);
	if (!v)
		fail_msg("no JSON: %s: %s", error.text, output);
	return v;
}

/* One that drains has two calls that end one by one, each before somebody looks. */
static bool has_stopped(void)
{
	return fake.stops && (fake.stop_mode != STOP_DRAIN || fake.draining == 2);
}

/* The daemon, in a process of its own, with what `fake` holds now. */
static void start_daemon_as(uid_t uid)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	daemon_pid = fork();
	assert_true(daemon_pid >= 0);
	if (daemon_pid == 0) {
		struct control_handlers handlers = {
			.reload = fake_reload, .stop = fake_stop, .stopping = fake_stopping};
		struct control *control;
		struct loop *loop;

		log_set_level(LOG_LEVEL_ERROR);
		if (uid && setuid(uid))
			_exit(1);
		if (loop_new(&loop))
			_exit(1);
		handlers.ctx = loop;
		if (control_new(&control, loop, fake_calls, &fake.config, &handlers))
			_exit(1);
		byte = 1;
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (int i = 0; i < 6000 && !has_stopped(); i++) {
			control_event(control, 2, "media", "leg a stream 0 latched");
			loop_once(loop, 10);
			fake_reloaded(control);
		}
		control_free(control);
		loop_free(loop);
		_exit((int)fake.stop_mode);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int start(void **state)
{
	(void)state;
	fake_reset(3);
	start_daemon_as(0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	if (daemon_pid > 0) {
		kill(daemon_pid, SIGKILL);
		waitpid(daemon_pid, NULL, 0);
	}
	daemon_pid = 0;
	return 0;
}

static int reset(void **state)
{
	(void)state;
	fake_reset(3);
	return 0;
}

static void status_shows_devices_calls_ports_and_drops(void **state)
{
	json_t *v;

	(void)state;
	assert_int_equal(run("status"), 0);
	assert_true(says("native"));
	assert_true(says("7 live, at most 20000"));
	assert_true(says("drop_no_flow"));
	assert_true(says("9970") && says("9960")); /* ports left, as the daemon says */
	assert_true(says("/etc/viaduct.yaml"));
	v = run_json("status --json");
	assert_int_equal(json_integer_value(json_object_get(v, "calls_live")), 7);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(v, "sip"), "unknown_source")),
		5);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(v, "sip"), "options_postponed")),
		3);
	assert_int_equal(json_array_size(json_object_get(v, "packets")), 2 * VD_REASON_MAX);
	json_decref(v);
}

static void a_call_shows_both_legs_quality_and_where_its_media_goes(void **state)
{
	json_t *v, *leg;

	(void)state;
	assert_int_equal(run("call 2"), 0);
	assert_true(says("in kernel yes, flow 1, RTCP flow 2"));
	assert_true(says("MOS       4.37"));
	assert_true(says("RTT       12.5 ms"));
	assert_true(says("02:00:00:00:00:01 to 02:00:00:00:00:02"));
	assert_true(says("VLAN 42"));
	assert_true(says("diagnosis: media flows both ways, forwarded in the kernel"));
	v = run_json("call 2 --json");
	leg = json_array_get(
		json_object_get(json_array_get(json_object_get(v, "streams"), 0), "legs"), 0);
	assert_string_equal(json_string_value(json_object_get(leg, "remote")), "10.0.0.9:4000");
	assert_true(json_is_true(json_object_get(leg, "in_kernel")));
	json_decref(v);
}

/* The stand-in's remote URI is no UTF-8 and holds an escape sequence. */
static void text_from_the_network_cannot_drive_the_terminal_nor_break_json(void **state)
{
	(void)state;
	json_decref(run_json("call 2 --json"));
	assert_int_equal(run("call 2"), 0);
	assert_null(strchr(output, '\033'));
	assert_true(says("sip:a??[2J@10.0.0.9"));
}

static void calls_flows_peers_listeners_and_routes_are_tables(void **state)
{
	(void)state;
	assert_int_equal(run("calls"), 0);
	assert_true(says("ID  STATE     MEDIA"));
	assert_true(says("answered  from a"));
	assert_true(says("1m23s"));
	assert_int_equal(run("flows"), 0);
	assert_true(says("10.0.0.9:4002 (latched)"));
	assert_int_equal(run("peers"), 0);
	assert_true(says("peer-1"));
	assert_int_equal(run("listeners"), 0);
	assert_true(says("198.51.100.1:5060"));
	assert_true(says("no device that is up has that address"));
	assert_int_equal(run("routes"), 0);
	assert_true(says("peer-1, peer-3"));
}

static void no_line_ends_in_a_space(void **state)
{
	static const char *const commands[] = {"status", "calls", "call 2", "flows", "peers",
		"peer peer-1", "listeners", "routes", "routes test peer-0 12345", "version"};

	(void)state;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_int_equal(run(commands[i]), 0);
		if (strstr(output, " \n"))
			fail_msg("viaduct %s:\n%.4000s", commands[i], output);
	}
}

static void one_peer_is_shown_in_lines_and_a_stranger_is_told(void **state)
{
	json_t *v;

	(void)state;
	assert_int_equal(run("peer peer-1"), 0);
	assert_true(says("peer           peer-1"));
	v = run_json("peer peer-1 --json");
	assert_string_equal(json_string_value(json_object_get(v, "name")), "peer-1");
	json_decref(v);
	assert_int_equal(run("peer nobody"), 1);
	assert_true(says("no peer is named nobody"));
}

static void a_peer_over_tls_is_shown_with_both_certificates(void **state)
{
	json_t *v, *tls;

	(void)state;
	assert_int_equal(run("peer peer-1"), 0);
	assert_true(says("we show        sbc.example.com, of An Authority, 12 days left"));
	assert_true(says("it shows       sip.peer.example, of An Authority, 77 days left"));
	assert_true(says("2; the newest opened by peer, TLSv1.3, TLS_AES_128_GCM_SHA256"));
	assert_true(says("finding        our certificate expires in 12 days"));
	v = run_json("peer peer-1 --json");
	tls = json_object_get(v, "tls");
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(tls, "certificate"), "days_left")),
		77);
	json_decref(v);
}

static void a_route_test_traces_and_its_exit_status_tells_the_verdict(void **state)
{
	(void)state;
	assert_int_equal(run("routes test peer-0 12345"), 0);
	assert_true(says("found: route 0 (out), peers in order: peer-1"));
	assert_true(says("... 12 lines left out"));
	assert_int_equal(run("routes test peer-0 0900"), 1);
	assert_true(says("denied"));
	assert_true(says("403"));
	assert_int_equal(run("routes test peer-0 999"), 1);
	assert_true(says("404"));
	assert_int_equal(run("routes test nobody 999"), 1);
	assert_true(says("no peer is named nobody"));
}

static void a_peer_is_drained_blocked_and_resumed(void **state)
{
	static const char *const commands[] = {"drain", "block", "resume"};
	static const char *const states[] = {"draining", "blocked", "up"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char args[64];
		json_t *v;

		snprintf(args, sizeof(args), "peer peer-1 %s", commands[i]);
		assert_int_equal(run(args), 0);
		v = run_json("peer peer-1 --json");
		assert_string_equal(json_string_value(json_object_get(v, "state")), states[i]);
		assert_int_equal(json_integer_value(json_object_get(v, "since_ms")), 83000);
		json_decref(v);
	}
	assert_int_equal(run("peer peer-1"), 0);
	assert_true(says("state          up for 1m23s: nothing speaks against it"));
	assert_true(says("registration   registered, 1m30s left, as sip:acc@provider.example: "
			 "registered for 120 s"));
	assert_true(says("seen as        198.51.100.7:5060"));
	assert_true(says("OPTIONS        none"));
	assert_int_equal(run("peer nobody"), 1);
	assert_true(says("no peer is named nobody"));
	assert_int_equal(run("peer nobody drain"), 1);
	assert_true(says("no peer is named nobody"));
}

static void twenty_thousand_calls_come_as_one_json_list(void **state)
{
	json_t *v;

	(void)state;
	fake_reset(20000);
	start_daemon_as(0);
	v = run_json("calls --json");
	assert_int_equal(json_array_size(json_object_get(v, "calls")), 20000);
	json_decref(v);
}

static void a_refused_reload_prints_the_mistakes_and_fails(void **state)
{
	(void)state;
	fake.reload_refusal = "v.yaml:3: peers: wrong; expected right\nv.yaml:9: routes: none";
	start_daemon_as(0);
	assert_int_equal(run("reload"), 1);
	assert_true(says("v.yaml:3: peers: wrong; expected right"));
	assert_true(says("v.yaml:9: routes: none"));
}

static void what_a_peers_host_name_stands_for_is_shown(void **state)
{
	const json_t *targets;
	json_t *v;

	(void)state;
	fake.peer[1].host = (char *)"sip.example.net";
	fake.peer[1].host_port = 5070;
	memset(&fake.peer[1].address, 0, sizeof(fake.peer[1].address));
	start_daemon_as(0);
	assert_int_equal(run("peers"), 0);
	assert_true(says("sip.example.net:5070"));
	assert_int_equal(run("peer peer-1"), 0);
	assert_true(says("name           stale: no answer; expires in -, asked for again in 4 s"));
	assert_true(says("192.0.2.8:5070         2       9"));
	v = run_json("peer peer-1 --json");
	assert_null(json_object_get(v, "address"));
	assert_string_equal(json_string_value(json_object_get(v, "name_state")), "stale");
	targets = json_object_get(v, "targets");
	assert_int_equal(json_array_size(targets), 2); /* the listener has no IPv6 */
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(targets, 1), "weight")), 9);
	json_decref(v);
	v = run_json("status --json");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(v, "dns"), "lookups")), 3);
	json_decref(v);
}

static void mistakes_in_usage_exit_2(void **state)
{
	(void)state;
	assert_int_equal(run(""), 2);
	assert_int_equal(run("nonsense"), 2);
	assert_int_equal(run("--nonsense"), 2);
	assert_int_equal(run("call"), 2);
	assert_int_equal(run("peer"), 2);
	assert_int_equal(run("call x"), 2);
	assert_int_equal(run("call -- -1"), 2);
	assert_int_equal(run("hangup 1 x"), 2);
	assert_int_equal(run("routes test x"), 2);
	assert_int_equal(run("--port 0 status"), 2);
	assert_int_equal(run("--timeout 0 status"), 2);
	assert_int_equal(run("status more"), 2);
	assert_int_equal(run("peer"), 2);
	assert_int_equal(run("peer peer-1 stop"), 2);
	assert_true(says("stop is no command for a peer: expected drain, block or resume"));
	assert_int_equal(run("peer drain peer-1"), 2);
	assert_true(says("expected the peer's name before the command"));
	assert_int_equal(run("status --at '2026-12-24 18:30'"), 2);
	assert_int_equal(run("routes --at '2026-12-24 18:30'"), 2);
	assert_int_equal(run("stop --now --drain"), 2);
	assert_true(says("--now and --drain: one of them"));
	assert_int_equal(run("status --now"), 2);
	assert_int_equal(run("log LOUD"), 2);
	assert_true(says("LOUD is no log level: expected error, warn, info or debug"));
}

static void what_cannot_be_written_exits_1(void **state)
{
	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	assert_int_equal(run("--help >/dev/full"), 1);
	assert_int_equal(run("calls --help >/dev/full"), 1);
	assert_int_equal(run("--version >/dev/full"), 1);
	assert_int_equal(run("calls >/dev/full"), 1);
	assert_int_equal(run("--json calls >/dev/full"), 1);
}

static void help_fits_a_terminal_of_80_columns(void **state)
{
	static const char *const commands[] = {
		"", "status", "call", "peer", "routes", "events", "log", "stop"};

	(void)state;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char args[64];

		snprintf(args, sizeof(args), "%s --help", commands[i]);
		assert_int_equal(run(args), 0);
		for (const char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n"))
			assert_in_range(strlen(line), 0, 80);
	}
}

static void what_is_done_and_has_no_answer_says_so_in_json(void **state)
{
	static const char *const done[] = {
		"log error", "hangup 1 2", "reload", "peer peer-1 drain"};

	(void)state;
	for (unsigned i = 0; i < sizeof(done) / sizeof(done[0]); i++) {
		char args[64];

		assert_int_equal(run(done[i]), 0);
		assert_string_equal(output, "");
		snprintf(args, sizeof(args), "%s --json", done[i]);
		assert_int_equal(run(args), 0);
		assert_string_equal(output, "{}\n");
	}
	assert_int_equal(run("hangup 99 --json"), 1);
	assert_null(strchr(output, '{'));
}

static void each_command_has_help(void **state)
{
	static const char *const names[] = {"status", "calls", "call", "flows", "peers", "peer",
		"listeners", "routes", "hangup", "events", "reload", "log", "stop", "version"};

	(void)state;
	assert_int_equal(run("--help"), 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char args[64];

		assert_true(says(names[i]));
		snprintf(args, sizeof(args), "%s --help", names[i]);
		assert_int_equal(run(args), 0);
		assert_true(says("Usage: viaduct"));
		/* Of others' options nothing. */
		assert_int_equal(!!strstr(output, "--leave "), !strcmp(names[i], "stop"));
		assert_int_equal(!!strstr(output, "--at TIME"), !strcmp(names[i], "routes"));
		assert_int_equal(run("--help"), 0);
		assert_true(says("--leave ") && says("--at TIME"));
	}
}

static void no_daemon_exits_3_and_says_so(void **state)
{
	(void)state;
	assert_int_equal(run("--port 0x1234 status"), 3);
	assert_true(says("no daemon answers at control port 0x00001234"));
	assert_int_equal(run("--port 0x1234 version"), 0);
}

static void a_daemon_that_is_stuck_exits_3_within_the_timeout(void **state)
{
	(void)state;
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(run("--timeout 1 status"), 3);
	assert_true(says("does not answer in time"));
	kill(daemon_pid, SIGCONT);
}

/* Its exit status; out holds what it printed. By descriptor: that user may not be able to walk to
 * the file. */
static int run_as_nobody(char *command, char *out, size_t room)
{
	char *const args[] = {"viaduct", command, NULL};
	int fd = open(cli, O_RDONLY), null = open("/dev/null", O_WRONLY);
	int print = memfd_create("printed", 0), status;
	pid_t child = fork();
	ssize_t n;

	assert_true(child >= 0 && print >= 0);
	if (child == 0) {
		dup2(print, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0)
			fexecve(fd, args, environ);
		_exit(99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	n = pread(print, out, room - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(print);
	close(fd);
	close(null);
	return WEXITSTATUS(status);
}

static void another_user_is_not_permitted_and_exits_4(void **state)
{
	char out[256];

	(void)state;
	if (setegid(NOBODY) || setegid(0))
		skip();
	assert_int_equal(run_as_nobody("status", out, sizeof(out)), 4);
	assert_string_equal(out, "");
	assert_int_equal(run_as_nobody("version", out, sizeof(out)), 4);
	assert_non_null(strstr(out, "viaductd does not tell this user"));
}

static void who_squats_the_port_is_not_trusted(void **state)
{
	(void)state;
	if (setegid(NOBODY) || setegid(0))
		skip();
	start_daemon_as(NOBODY);
	assert_int_equal(run("status"), 3);
	assert_true(says("not trusted"));
	assert_null(strstr(output, "native"));
	/* Unless that is the user it is expected to run as. */
	assert_int_equal(run("--daemon-user nobody status"), 0);
}

static void events_are_one_json_object_a_line(void **state)
{
	char command[PATH_MAX + 128], line[512];
	json_t *v;
	FILE *f;

	(void)state;
	snprintf(command, sizeof(command), "exec timeout 10 %s events 2 --json", cli);
	f = popen(command, "r");
	assert_non_null(f);
	for (int i = 0; i < 3; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		v = json_loads(line, 0, NULL);
		assert_non_null(v);
		assert_int_equal(json_integer_value(json_object_get(v, "call")), 2);
		assert_string_equal(json_string_value(json_object_get(v, "kind")), "media");
		json_decref(v);
	}
	pclose(f);
}

/* The stand-in's exit status is the way it was told to. */
static void ended(enum stop_mode mode)
{
	int status;

	assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), mode);
	daemon_pid = 0;
}

static void stop_now_ends_the_daemon_after_it_has_answered(void **state)
{
	(void)state;
	assert_int_equal(run("stop --now"), 0);
	assert_string_equal(output, "");
	ended(STOP_NOW);
	assert_int_equal(run("status"), 3);
}

static void stop_leave_ends_it_that_way(void **state)
{
	(void)state;
	assert_int_equal(run("--leave --json stop"), 0);
	assert_string_equal(output, "{}\n");
	ended(STOP_LEAVE);
}

static void stop_drain_shows_how_many_calls_are_left_until_the_daemon_ends(void **state)
{
	(void)state;
	assert_int_equal(run("stop --drain"), 0);
	assert_string_equal(output, "6 calls left\n5 calls left\n");
	ended(STOP_DRAIN);
}

static void status_tells_that_the_daemon_drains(void **state)
{
	char command[PATH_MAX + 64];
	FILE *f;

	(void)state;
	snprintf(command, sizeof(command), "exec %s stop --drain 2>&1", cli);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(output, OUTPUT_MAX, f)); /* one look */
	assert_int_equal(run("status"), 0);
	assert_true(says("stopping       drain"));
	pclose(f);
	ended(STOP_DRAIN);
}

static void a_way_that_is_refused_leaves_the_daemon_alone(void **state)
{
	(void)state;
	fake_reset(3);
	fake.stop_refusal = -EOPNOTSUPP;
	start_daemon_as(0);
	assert_int_equal(run("stop --leave"), 1);
	assert_true(says("cannot stop that way (leave): Operation not supported"));
	assert_int_equal(run("status"), 0);
	assert_false(strstr(output, "stopping") != NULL);
}

/* On a terminal of its own, with that typed in. Returns the exit status. */
static int run_on_terminal(const char *args, const char *typed)
{
	char command[PATH_MAX + 256];
	size_t len = 0;
	ssize_t n;
	int fd, status;
	pid_t pid;

	snprintf(command, sizeof(command), "exec %s %s", cli, args);
	pid = forkpty(&fd, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	assert_int_equal(write(fd, typed, strlen(typed)), strlen(typed));
	while ((n = read(fd, output + len, OUTPUT_MAX - len)) > 0)
		len += (size_t)n;
	output[len] = '\0';
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void stop_asks_on_a_terminal_and_needs_to_be_told_elsewhere(void **state)
{
	/* "no" is no beginning of "now": who means to leave all alone ends no call. */
	static const char *const no_way[] = {"n\n", "no\n", "nowhere\n", "l\n"};

	(void)state;
	assert_int_equal(run("stop </dev/null"), 2);
	assert_true(says("which way? --drain, --now or --leave"));
	assert_int_equal(run_on_terminal("stop", "\n"), 1);
	assert_true(says("7 calls are live."));
	assert_true(says("not stopped"));
	for (unsigned i = 0; i < sizeof(no_way) / sizeof(no_way[0]); i++) {
		assert_int_equal(run_on_terminal("stop", no_way[i]), 1);
		assert_true(says("not stopped"));
	}
	assert_int_equal(run("status"), 0);
	assert_int_equal(run_on_terminal("stop", "leave\n"), 0);
	ended(STOP_LEAVE);
}

static void hangup_goes_on_past_a_call_that_is_gone(void **state)
{
	(void)state;
	assert_int_equal(run("hangup 1 3"), 0);
	assert_int_equal(run("hangup 99 1"), 1);
	assert_true(says("no live call 99"));
}

/* Reads tools/man/viaduct.8 of the tree that the tests are run in. */
static bool page_names(const char *page, const char *key)
{
	char bold[128];

	snprintf(bold, sizeof(bold), "\\fB%s\\fR", key);
	if (strstr(page, bold))
		return true;
	print_message("the man page does not name %s\n", key);
	return false;
}

static void every_json_key_is_in_the_man_page(void **state)
{
#define KEY(name, key, type, of, text) #key,
#define COUNTER_KEY(name, text)        #name,
	static const char *const keys[] = {VDC_STATUS_FIELDS(KEY) VDC_DEVICE_FIELDS(
		KEY) VDC_UNRESOLVED_FIELDS(KEY) VDC_SIDE_FIELDS(KEY) VDC_PACKETS_FIELDS(KEY)
			VDC_CALL_FIELDS(KEY) VDC_LEG_FIELDS(KEY) VDC_FINDING_FIELDS(
				KEY) VDC_STREAM_FIELDS(KEY) VDC_STREAM_LEG_FIELDS(KEY)
				VDC_PATH_FIELDS(KEY) VDC_FLOW_FIELDS(KEY) VDC_PEER_FIELDS(
					KEY) VDC_TARGET_FIELDS(KEY) VDC_PEER_TLS_FIELDS(KEY)
					VDC_CERTIFICATE_FIELDS(KEY) VDC_LISTENER_FIELDS(
						KEY) VDC_ROUTE_FIELDS(KEY) VDC_DECISION_FIELDS(KEY)
						VDC_CANDIDATE_FIELDS(KEY) VDC_EVENT_FIELDS(KEY)
							CALL_COUNTERS(COUNTER_KEY)
								SIP_COUNTERS(COUNTER_KEY)
									DNS_COUNTERS(COUNTER_KEY)};
	static char page[256 * 1024];
	FILE *f = fopen("tools/man/viaduct.8", "r");
	bool all = true;

	(void)state;
	if (!f)
		skip();
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		all = page_names(page, keys[i]) && all;
	assert_true(all);
}

int main(void)
{
#define TEST(name)                cmocka_unit_test_setup_teardown(name, start, finish)
#define TEST_WITHOUT_DAEMON(name) cmocka_unit_test_setup_teardown(name, reset, finish)
	const struct CMUnitTest tests[] = {
		TEST(status_shows_devices_calls_ports_and_drops),
		TEST(a_call_shows_both_legs_quality_and_where_its_media_goes),
		TEST(text_from_the_network_cannot_drive_the_terminal_nor_break_json),
		TEST(calls_flows_peers_listeners_and_routes_are_tables),
		TEST(no_line_ends_in_a_space),
		TEST(one_peer_is_shown_in_lines_and_a_stranger_is_told),
		TEST(a_peer_over_tls_is_shown_with_both_certificates),
		TEST(a_route_test_traces_and_its_exit_status_tells_the_verdict),
		TEST(a_peer_is_drained_blocked_and_resumed),
		TEST_WITHOUT_DAEMON(twenty_thousand_calls_come_as_one_json_list),
		TEST_WITHOUT_DAEMON(a_refused_reload_prints_the_mistakes_and_fails),
		TEST_WITHOUT_DAEMON(what_a_peers_host_name_stands_for_is_shown),
		TEST(mistakes_in_usage_exit_2),
		TEST(what_cannot_be_written_exits_1),
		TEST(help_fits_a_terminal_of_80_columns),
		TEST(each_command_has_help),
		TEST_WITHOUT_DAEMON(no_daemon_exits_3_and_says_so),
		TEST(a_daemon_that_is_stuck_exits_3_within_the_timeout),
		TEST(another_user_is_not_permitted_and_exits_4),
		TEST_WITHOUT_DAEMON(who_squats_the_port_is_not_trusted),
		TEST(events_are_one_json_object_a_line),
		TEST(stop_now_ends_the_daemon_after_it_has_answered),
		TEST(stop_leave_ends_it_that_way),
		TEST(stop_drain_shows_how_many_calls_are_left_until_the_daemon_ends),
		TEST(status_tells_that_the_daemon_drains),
		TEST(stop_asks_on_a_terminal_and_needs_to_be_told_elsewhere),
		cmocka_unit_test_setup_teardown(
			a_way_that_is_refused_leaves_the_daemon_alone, NULL, finish),
		TEST(what_is_done_and_has_no_answer_says_so_in_json),
		TEST(hangup_goes_on_past_a_call_that_is_gone),
		TEST_WITHOUT_DAEMON(every_json_key_is_in_the_man_page),
	};
	int failed;

	if (!find_cli() || own_namespace()) {
		print_message("1..0 # skip: no CLI at %s, or no network namespace\n", cli);
		return 0;
	}
	unsetenv("VIADUCT_CONTROL_PORT");
	unsetenv("VIADUCT_DAEMON_USER");
	output = malloc(OUTPUT_MAX + 1);
	if (!output)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(output);
	return failed;
}
