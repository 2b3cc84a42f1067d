// Open-loop load on one address, as load.ts makes it, where JavaScript is too slow (test/vm): requests leave at a fixed rate whatever the answers do; every
// second one on a new connection, the others on at most 64 that are kept alive. No retry. Lost: a reset or refused connection, a connection that ends early,
// a wrong answer, or no whole answer in time. `load ADDRESS PORT RATE LIMIT_MS LOG`; SIGTERM ends it, and it prints its sums as JSON. The log has a line per
// lost request: seconds since the start, kind of connection, milliseconds, reason.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_MAX = 64, OPEN_MAX = 20000, WAITING_MAX = 100000 };

struct conn {
  int fd;
  int kept;
  int busy;
  int connected;
  int reused;
  double due;
  size_t have;
  char answer[1024];
  struct conn *older, *newer; // among those that are busy, by `due`
  struct conn *next_idle;
};

static struct sockaddr_in target;
static int poller;
static FILE *logged;
static double begin, limit;
static volatile sig_atomic_t stopping;
static struct conn *oldest, *newest, *idle;
static int kept_open, open_now;
static double waiting[WAITING_MAX]; // due times of kept requests for which no connection is free
static unsigned waiting_first, waiting_end;
static unsigned long sent, answered, lost, late, resets, refused, ended, wrong, unanswered;
static double slowest;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_term(int sig) {
  (void)sig;
  stopping = 1;
}

static void count_lost(double due, int kept, const char *reason, unsigned long *kind) {
  lost++;
  (*kind)++;
  answered++;
  fprintf(logged, "%.3f %s %.0f %s\n", now() - begin, kept ? "kept" : "new", (now() - due) * 1e3, reason);
}

static void unlink_busy(struct conn *c) {
  if (c->older) c->older->newer = c->newer; else oldest = c->newer;
  if (c->newer) c->newer->older = c->older; else newest = c->older;
  c->older = c->newer = NULL;
  c->busy = 0;
}

static void drop(struct conn *c) {
  if (c->busy) unlink_busy(c);
  for (struct conn **at = &idle; *at; at = &(*at)->next_idle)
    if (*at == c) {
      *at = c->next_idle;
      break;
    }
  if (c->kept) kept_open--;
  open_now--;
  close(c->fd);
  free(c);
}

static int say(struct conn *c) {
  static const char ask[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
  static const char last[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const char *text = c->kept ? ask : last;
  size_t length = strlen(text);
  return send(c->fd, text, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

static void failed(struct conn *c, int error) {
  double due = c->due;
  int kept = c->kept;
  drop(c);
  if (error == ECONNREFUSED) count_lost(due, kept, "refused", &refused);
  else if (error) count_lost(due, kept, strerror(error), &resets);
  else count_lost(due, kept, "ended", &ended);
}

static void make_busy(struct conn *c, double due) {
  c->due = due;
  c->busy = 1;
  c->have = 0;
  c->older = newest;
  if (newest) newest->newer = c; else oldest = c;
  newest = c;
}

static void open_for(double due, int kept) {
  int fd = open_now < OPEN_MAX ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
  struct conn *c = calloc(1, sizeof *c);
  if (fd < 0 || !c) {
    fprintf(stderr, "no more connections: %s\n", strerror(errno));
    exit(1);
  }
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->fd = fd;
  c->kept = kept;
  kept_open += kept;
  open_now++;
  make_busy(c, due);
  if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) {
    failed(c, errno);
    return;
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void request_kept(double due) {
  while (idle) {
    struct conn *c = idle;
    idle = c->next_idle;
    c->next_idle = NULL;
    c->reused = 1;
    make_busy(c, due);
    if (say(c) == 0) return;
    failed(c, errno);
    return;
  }
  if (kept_open < KEPT_MAX) open_for(due, 1);
  else waiting[waiting_end++ % WAITING_MAX] = due;
}

static void serve_waiting(void) {
  while (waiting_first != waiting_end && (idle || kept_open < KEPT_MAX))
    request_kept(waiting[waiting_first++ % WAITING_MAX]);
}

// Whether the answer is whole: 1; not yet: 0; not one that we know: -1.
static int judge(const struct conn *c, int *closes) {
  const char *end = strstr(c->answer, "\r\n\r\n");
  if (!end) return 0;
  const char *length = strcasestr(c->answer, "content-length: ");
  if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || !length) return -1;
  size_t want = (size_t)atoi(length + 16) + (size_t)(end + 4 - c->answer);
  *closes = strcasestr(c->answer, "connection: close") != NULL;
  return c->have >= want;
}

static void read_some(struct conn *c) {
  for (;;) {
    ssize_t n = recv(c->fd, c->answer + c->have, sizeof c->answer - 1 - c->have, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      if (c->busy) failed(c, n < 0 ? errno : 0);
      else drop(c);
      return;
    }
    if (!c->busy) {
      drop(c);
      return;
    }
    c->have += (size_t)n;
    c->answer[c->have] = 0;
    int closes = 0;
    int verdict = judge(c, &closes);
    if (verdict == 0) continue;
    double took = now() - c->due;
    if (took > slowest) slowest = took;
    if (verdict < 0) count_lost(c->due, c->kept, "wrong answer", &wrong);
    else {
      answered++;
      if (took > limit) {
        late++;
        lost++;
        fprintf(logged, "%.3f %s %.0f late\n", now() - begin, c->kept ? "kept" : "new", took * 1e3);
      }
    }
    unlink_busy(c);
    if (!c->kept || closes || verdict < 0) {
      drop(c);
      return;
    }
    c->next_idle = idle;
    idle = c;
  }
}

static void look_at(struct conn *c, unsigned events) {
  if (!c->connected && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error || say(c) < 0) {
      failed(c, error ? error : errno);
      return;
    }
    c->connected = 1;
  }
  if (c->connected && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_some(c);
}

// A request that is not answered at all is given up after four times the limit: until then it may still come late.
static void give_up(double at) {
  while (oldest && at - oldest->due > limit * 4) {
    struct conn *c = oldest;
    double due = c->due;
    int kept = c->kept;
    drop(c);
    count_lost(due, kept, "no answer", &unanswered);
  }
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: load ADDRESS PORT RATE LIMIT_MS LOG\n");
    return 2;
  }
  target.sin_family = AF_INET;
  target.sin_port = htons((unsigned short)atoi(argv[2]));
  inet_pton(AF_INET, argv[1], &target.sin_addr);
  double rate = atof(argv[3]);
  limit = atof(argv[4]) / 1e3;
  logged = fopen(argv[5], "w");
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (!logged || poller < 0) {
    perror(argv[5]);
    return 1;
  }
  setvbuf(logged, NULL, _IOLBF, 0);
  struct rlimit files = {OPEN_MAX + 100, OPEN_MAX + 100};
  setrlimit(RLIMIT_NOFILE, &files);
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  begin = now();
  double last_due = 0;
  while (!stopping || answered < sent) {
    double at = now();
    if (!stopping) {
      last_due = at;
      unsigned long due = (unsigned long)((at - begin) * rate);
      for (; sent < due; sent++) {
        double when = begin + (double)(sent + 1) / rate;
        if (sent % 2) request_kept(when);
        else open_for(when, 0);
      }
    }
    serve_waiting();
    give_up(at);
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, 2);
    for (int i = 0; i < count; i++) look_at(events[i].data.ptr, events[i].events);
  }
  fclose(logged);
  printf("{\"sent\":%lu,\"rate\":%.0f,\"lost\":%lu,\"late\":%lu,\"reset\":%lu,\"refused\":%lu,\"ended\":%lu,\"wrong\":%lu,\"unanswered\":%lu,\"slowestMs\":%.0f}\n",
         sent, (double)sent / (last_due - begin), lost, late, resets, refused, ended, wrong, unanswered, slowest * 1e3);
  return 0;
}
