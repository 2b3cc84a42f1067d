/*
 * Questions that the upstreams must answer.
 *
 * Each try has a socket of its own (so a random source port, and the kernel lets only that upstream
 * in) and a random id; the answer must repeat the question. Upstreams are asked in order, the next
 * one after UPSTREAM_TIMEOUT_MS, an error or a failure code; what the last one says is passed on.
 * A question that is already under way for the same client is not sent twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "server.h"

struct forward {
	struct source source;
	struct asker asker;
	struct question question;
	uint16_t id;
	size_t upstream; /* place in its client's list of the one that is asked */
	/* TCP: what is to be sent, then what has come. */
	uint8_t out[2 + 300];
	size_t out_length, out_sent;
	struct ts_buf in;
};

static struct forward forwards[FORWARDS_MAX];

/* What every question and every check looks through, apart from the rest to keep that fast. */
static struct {
	bool used;
	uint8_t address[16];
	int64_t due_ms;
} slots[FORWARDS_MAX];

static size_t forward_count;
/* No forward is due before; -1 = none is under way. All wait equally long, so the oldest is first.
 */
static int64_t next_due_ms = -1;

static void forward_ready(struct source *source, uint32_t events);

static void finish(struct forward *forward)
{
	close_source(&forward->source);
	ts_buf_free(&forward->in);
	slots[forward - forwards].used = false;
	forward_count--;
}

static void answer_with(const struct asker *asker, const struct question *question,
			enum dns_rcode rcode)
{
	uint8_t bytes[DNS_UDP_PLAIN_BYTES];

	answer_send(asker, bytes, answer_empty(question, rcode, 0, bytes, sizeof bytes));
}

/* Looked up each time: the configuration may have been replaced meanwhile. */
static const struct upstreams *upstreams_of(const struct forward *forward)
{
	return upstreams_for(server.config, forward->asker.address);
}

/* Sends the question to the upstream whose turn it is. False: it cannot be reached. */
static bool ask(struct forward *forward)
{
	const union endpoint *upstream = &upstreams_of(forward)->list[forward->upstream];
	bool tcp = forward->asker.tcp;
	int type = tcp ? SOCK_STREAM : SOCK_DGRAM;

	close_source(&forward->source);
	ts_buf_free(&forward->in);
	random_bytes(&forward->id, sizeof forward->id);
	size_t length = question_write(&forward->question, forward->id, tcp, forward->out + 2);
	dns_put16(forward->out, (uint16_t)length);
	forward->out_length = 2 + length;
	forward->out_sent = 0;
	slots[forward - forwards].due_ms = now_ms() + UPSTREAM_TIMEOUT_MS;
	if (next_due_ms < 0)
		next_due_ms = slots[forward - forwards].due_ms;
	int fd = socket(upstream->generic.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	forward->source = (struct source){.fd = fd, .ready = forward_ready};
	int result = connect(fd, &upstream->generic, endpoint_bytes(upstream));
	if (result < 0 && !(tcp && errno == EINPROGRESS)) {
		close_source(&forward->source);
		return false;
	}
	if (!tcp && send(fd, forward->out + 2, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		close_source(&forward->source);
		return false;
	}
	watch(&forward->source, tcp ? EPOLLOUT : EPOLLIN);
	return true;
}

/* Asks the upstream at `place` or one behind it; gives up when there is none left. */
static void ask_from(struct forward *forward, size_t place)
{
	for (; place < upstreams_of(forward)->count; place++) {
		forward->upstream = place;
		if (ask(forward))
			return;
	}
	answer_with(&forward->asker, &forward->question, DNS_SERVFAIL);
	finish(forward);
}

static bool is_last(const struct forward *forward)
{
	return forward->upstream + 1 >= upstreams_of(forward)->count;
}

/* An answer that is too large for the client's UDP: only the question, marked as truncated. */
static void send_truncated(const struct forward *forward, uint16_t upstream_flags)
{
	uint8_t bytes[DNS_UDP_PLAIN_BYTES];
	struct answer answer;

	answer_begin(&answer, bytes, sizeof bytes, &forward->question, true);
	answer.truncated = true;
	size_t length = answer_end(&answer, &forward->question, 0,
				   (enum dns_rcode)(upstream_flags & DNS_RCODE_MASK));
	answer_send(&forward->asker, bytes, length);
}

/* Handles a message from the upstream. True when this forward is done with. */
static bool handle_answer(struct forward *forward, uint8_t *bytes, size_t length)
{
	if (!answer_fits(bytes, length, &forward->question, forward->id))
		return false;
	uint16_t flags = dns_get16(bytes + 2);
	unsigned rcode = flags & DNS_RCODE_MASK;
	bool failed = rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
	if (failed && !is_last(forward)) {
		ask_from(forward, forward->upstream + 1);
		return true;
	}
	/* Not ours to vouch for: no authority, our own word on recursion. */
	dns_put16(bytes + 2, (uint16_t)((flags & ~DNS_FLAG_AA) | DNS_FLAG_RA));
	dns_put16(bytes, forward->question.id);
	if (!forward->asker.tcp && length > forward->question.udp_bytes)
		send_truncated(forward, flags);
	else
		answer_send(&forward->asker, bytes, length);
	finish(forward);
	return true;
}

static void read_udp(struct forward *forward)
{
	static uint8_t bytes[DNS_MESSAGE_MAX_BYTES];

	/* Messages that do not fit are somebody's guesses; a few of them are read away. */
	for (int i = 0; i < UDP_BATCH; i++) {
		ssize_t n = recv(forward->source.fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			ask_from(forward, forward->upstream + 1);
			return;
		}
		if (handle_answer(forward, bytes, (size_t)n))
			return;
	}
}

static void write_tcp(struct forward *forward)
{
	ssize_t n = send(forward->source.fd, forward->out + forward->out_sent,
			 forward->out_length - forward->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		ask_from(forward, forward->upstream + 1);
		return;
	}
	forward->out_sent += (size_t)n;
	if (forward->out_sent == forward->out_length)
		watch(&forward->source, EPOLLIN);
}

static void read_tcp(struct forward *forward)
{
	uint8_t part[4096];
	ssize_t n = recv(forward->source.fd, part, sizeof part, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		ts_buf_add(&forward->in, part, (size_t)n);
	size_t used = forward->in.len;
	uint8_t *bytes = (uint8_t *)forward->in.data;
	bool complete = used >= 2 && used - 2 >= dns_get16(bytes);
	if (complete && handle_answer(forward, bytes + 2, dns_get16(bytes)))
		return;
	if (complete || n <= 0)
		ask_from(forward, forward->upstream + 1);
}

static void forward_ready(struct source *source, uint32_t events)
{
	struct forward *forward = (struct forward *)source;

	if (!forward->asker.tcp)
		read_udp(forward);
	else if (events & EPOLLOUT ||
		 (events & EPOLLERR && forward->out_sent < forward->out_length))
		write_tcp(forward);
	else
		read_tcp(forward);
}

static bool same_asker(const struct asker *a, const struct asker *b)
{
	return a->tcp == b->tcp && a->slot == b->slot && a->generation == b->generation &&
	       endpoint_equal(&a->from, &b->from);
}

/* UDP clients repeat a question that is not answered soon; one answer is enough for them. */
static bool is_repeated(const struct forward *forward, const struct asker *asker,
			const struct question *question)
{
	return !asker->tcp && forward->question.id == question->id &&
	       same_asker(&forward->asker, asker) &&
	       forward->question.name_length == question->name_length &&
	       forward->question.type == question->type &&
	       memcmp(forward->question.key, question->key, question->name_length) == 0;
}

void forward_question(const struct asker *asker, const struct question *question)
{
	size_t of_client = 0, chosen = FORWARDS_MAX;

	for (size_t i = 0; i < FORWARDS_MAX; i++) {
		if (!slots[i].used) {
			if (chosen == FORWARDS_MAX)
				chosen = i;
			continue;
		}
		if (memcmp(slots[i].address, asker->address, 16) != 0)
			continue;
		of_client++;
		if (is_repeated(&forwards[i], asker, question))
			return;
	}
	if (of_client >= FORWARDS_PER_CLIENT_MAX || chosen == FORWARDS_MAX) {
		answer_with(asker, question, chosen == FORWARDS_MAX ? DNS_SERVFAIL : DNS_REFUSED);
		return;
	}
	forwards[chosen] =
	    (struct forward){.source = {.fd = -1}, .asker = *asker, .question = *question};
	slots[chosen].used = true;
	memcpy(slots[chosen].address, asker->address, 16);
	forward_count++;
	ask_from(&forwards[chosen], 0);
}

/* When to look for silent upstreams; -1 = nothing is under way. */
int64_t forward_deadline(void)
{
	return next_due_ms;
}

void forward_check(int64_t now)
{
	int64_t next = -1;

	if (next_due_ms < 0 || now < next_due_ms)
		return;
	/* What is asked again here is due later than anything else. */
	next_due_ms = INT64_MAX;
	for (size_t i = 0; i < FORWARDS_MAX; i++)
		if (slots[i].used && now >= slots[i].due_ms)
			ask_from(&forwards[i], forwards[i].upstream + 1);
	for (size_t i = 0; forward_count > 0 && i < FORWARDS_MAX; i++)
		if (slots[i].used && (next < 0 || slots[i].due_ms < next))
			next = slots[i].due_ms;
	next_due_ms = next;
}
