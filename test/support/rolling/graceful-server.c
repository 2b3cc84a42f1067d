// A web server that heeds SIGTERM, for tests of rolling updates: one thread per connection, kept alive; after the signal it takes no new connections, and
// answers those that are open with "Connection: close" until they have gone. Answers "VERSION HOSTNAME" (argv[1]) on port 8080, on which it listens only
// argv[2] ms after its start, as programs do that load much first.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int stopping;
static atomic_int open_connections;
static char body[160];

static void on_term(int sig) {
  (void)sig;
  atomic_store(&stopping, 1);
}

static int answer(int fd) {
  char text[512];
  int closes = atomic_load(&stopping);
  int n = snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
                   strlen(body), closes ? "close" : "keep-alive", body);
  if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n) return -1;
  return closes ? -1 : 0;
}

static void *serve(void *arg) {
  int fd = (int)(long)arg;
  char buf[4096];
  size_t have = 0;
  for (;;) {
    ssize_t n = recv(fd, buf + have, sizeof buf - 1 - have, 0);
    if (n <= 0) break;
    have += (size_t)n;
    buf[have] = 0;
    char *end = strstr(buf, "\r\n\r\n");
    if (!end) continue;
    have = 0;
    if (answer(fd) < 0) break;
  }
  shutdown(fd, SHUT_WR);
  while (recv(fd, buf, sizeof buf, 0) > 0) {}
  close(fd);
  atomic_fetch_sub(&open_connections, 1);
  return NULL;
}

int main(int argc, char **argv) {
  char host[100];
  gethostname(host, sizeof host);
  snprintf(body, sizeof body, "%s %s", argc > 1 ? argv[1] : "v0", host);
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  if (argc > 2) usleep((useconds_t)atoi(argv[2]) * 1000);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(8080)};
  if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 1024) < 0) {
    perror("listen");
    return 1;
  }
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, 64 * 1024);
  while (!atomic_load(&stopping)) {
    struct pollfd p = {.fd = listener, .events = POLLIN};
    if (poll(&p, 1, 50) <= 0) continue;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    atomic_fetch_add(&open_connections, 1);
    pthread_t thread;
    if (pthread_create(&thread, &attr, serve, (void *)(long)fd) != 0) {
      close(fd);
      atomic_fetch_sub(&open_connections, 1);
    }
  }
  close(listener);
  for (int i = 0; i < 800 && atomic_load(&open_connections) > 0; i++) usleep(10 * 1000);
  return 0;
}
