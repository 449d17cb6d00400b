/* load: makes line protocol and sends it over HTTP, for `make bench`.
 *
 * Bodies are made before the clock starts, so that the client costs little while the server is
 * measured; each connection is a thread with a blocking socket and sends the next body when the
 * last one is answered. Prints one line of JSON.
 *
 * Data sets (deterministic):
 *   cpu      TSBS cpu-only: 10 tags, 10 fields, a random walk with steps N(0,1) in 0..100, every 10
 * s, all hosts of one time in turn; integers or two decimals; --late=P gives P percent of the rows
 * an older time, out of order iot      TSBS iot: readings and diagnostics of --hosts trucks, every
 * 10 s; trucks drive, rest and break down, and now and then one sends nothing mixed    30
 * measurements of 200 agents each, ten fields of like digits, mixed in every body tables   --hosts
 * measurements of one row per body, ten fields series   --hosts x --metrics tag sets of two tags
 * and one float field, --steps points each
 */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FIELDS = 10, CONNECTIONS_MAX = 64 };
static const int64_t START_S = 1451606400; /* 2016-01-01 */

static const char *const field_names[FIELDS] = {
    "usage_user", "usage_system",  "usage_idle",  "usage_nice",  "usage_iowait",
    "usage_irq",  "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"};

struct options {
  const char *host, *path, *set, *variant;
  int port, hosts, metrics, steps, body_rows, connections, late_percent;
  double seconds_max;
};
struct body {
  char *bytes;
  size_t size;
  uint32_t rows;
};
struct bodies {
  struct body *list;
  size_t count, capacity;
  char *text; /* the one that is being made */
  size_t size, room;
  uint32_t rows;
};

/* ---- random numbers: splitmix64, and the polar method for normal ones ---- */

static uint64_t state = 42;
static uint64_t next_random(void) {
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}
static double uniform(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }
static double normal(void) {
  for (;;) {
    double u = 2 * uniform() - 1, v = 2 * uniform() - 1, s = u * u + v * v;
    if (s > 0 && s < 1) return u * sqrt(-2 * log(s) / s);
  }
}
static double walk(double value) {
  value += normal();
  return value < 0 ? 0 : value > 100 ? 100 : value;
}

/* ---- bodies ---- */

static void *check(void *memory) {
  if (!memory) {
    fputs("load: out of memory\n", stderr);
    exit(1);
  }
  return memory;
}

static void end_body(struct bodies *bodies) {
  if (bodies->rows == 0) return;
  if (bodies->count == bodies->capacity) {
    bodies->capacity = bodies->capacity ? bodies->capacity * 2 : 1024;
    bodies->list = check(realloc(bodies->list, bodies->capacity * sizeof *bodies->list));
  }
  bodies->list[bodies->count++] =
      (struct body){check(realloc(bodies->text, bodies->size)), bodies->size, bodies->rows};
  bodies->text = NULL;
  bodies->size = bodies->room = 0;
  bodies->rows = 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct bodies *bodies, const char *format,
                                                      ...) {
  if (bodies->room - bodies->size < 4096) {
    bodies->room = bodies->room ? bodies->room * 2 : 8192;
    bodies->text = check(realloc(bodies->text, bodies->room));
  }
  va_list arguments;
  va_start(arguments, format);
  bodies->size += (size_t)vsnprintf(bodies->text + bodies->size, bodies->room - bodies->size,
                                    format, arguments);
  va_end(arguments);
}

static void end_row(struct bodies *bodies, const struct options *options, int64_t time_ns) {
  put(bodies, " %lld\n", (long long)time_ns);
  if (++bodies->rows == (uint32_t)options->body_rows) end_body(bodies);
}

static void put_fields(struct bodies *bodies, double *values, bool floats) {
  for (int f = 0; f < FIELDS; f++) {
    values[f] = walk(values[f]);
    if (floats)
      put(bodies, "%c%s=%.2f", f ? ',' : ' ', field_names[f], values[f]);
    else
      put(bodies, "%c%s=%di", f ? ',' : ' ', field_names[f], (int)values[f]);
  }
}

static void put_host_tags(struct bodies *bodies, int host) {
  static const char *const regions[] = {"us-east-1",      "us-west-1",      "us-west-2",
                                        "eu-west-1",      "eu-central-1",   "ap-southeast-1",
                                        "ap-southeast-2", "ap-northeast-1", "sa-east-1"};
  static const char *const teams[] = {"SF", "NYC", "LON", "CHI"};
  static const char *const environments[] = {"production", "staging", "test"};
  static const char *const systems[] = {"Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"};
  uint64_t r = (uint64_t)host * UINT64_C(0x9e3779b97f4a7c15) >> 13;
  const char *region = regions[r % 9];
  put(bodies,
      ",hostname=host_%d,region=%s,datacenter=%s%c,rack=%d,os=%s,arch=%s,team=%s,service=%d,"
      "service_version=%d,"
      "service_environment=%s",
      host, region, region, (char)('a' + r / 9 % 3), (int)(r / 27 % 100), systems[r / 2700 % 3],
      r / 8100 % 2 ? "x64" : "x86", teams[r / 16200 % 4], (int)(r / 64800 % 20),
      (int)(r / 1296000 % 2), environments[r / 2592000 % 3]);
}

static void make_cpu(struct bodies *bodies, const struct options *options) {
  bool floats = strcmp(options->variant, "B") == 0;
  double *values = check(malloc(sizeof(double) * FIELDS * (size_t)options->hosts));
  for (int i = 0; i < FIELDS * options->hosts; i++)
    values[i] = 100 * uniform();
  for (int step = 0; step < options->steps; step++)
    for (int host = 0; host < options->hosts; host++) {
      put(bodies, "cpu");
      put_host_tags(bodies, host);
      put_fields(bodies, values + host * FIELDS, floats);
      int64_t time = (START_S + 10 * (int64_t)step) * 1000000000;
      /* A late row stands between two regular ones of an earlier hour. */
      if (step && (int)(next_random() % 100) < options->late_percent)
        time -= (1 + (int64_t)(next_random() % 360)) * 10000000000 - 5000000000 -
                (int64_t)(next_random() % 1000000000);
      end_row(bodies, options, time);
    }
  free(values);
}

static void make_mixed(struct bodies *bodies, const struct options *options) {
  enum { MEASUREMENTS = 30, AGENTS = 200 };
  static double values[MEASUREMENTS][AGENTS][FIELDS];
  for (int step = 0; step < options->steps; step++)
    for (int agent = 0; agent < AGENTS; agent++)
      for (int m = 0; m < MEASUREMENTS; m++) {
        put(bodies, "measurement_%d,host=agent_%d,region=region_%d", m, agent, agent % 7);
        put_fields(bodies, values[m][agent], false);
        end_row(bodies, options, (START_S + 10 * (int64_t)step) * 1000000000);
      }
}

static void make_tables(struct bodies *bodies, const struct options *options) {
  double *values = check(calloc((size_t)options->hosts * FIELDS, sizeof(double)));
  for (int step = 0; step < options->steps; step++)
    for (int table = 0; table < options->hosts; table++) {
      put(bodies, "table_%d,host=one", table);
      put_fields(bodies, values + table * FIELDS, false);
      end_row(bodies, options, (START_S + 10 * (int64_t)step) * 1000000000);
    }
  free(values);
}

static void make_series(struct bodies *bodies, const struct options *options) {
  for (int step = 0; step < options->steps; step++)
    for (int host = 0; host < options->hosts; host++)
      for (int metric = 0; metric < options->metrics; metric++) {
        put(bodies, "samples,hostname=host_%d,metric=metric_%d value=%.2f", host, metric,
            100 * uniform());
        end_row(bodies, options, (START_S + 10 * (int64_t)step) * 1000000000);
      }
}

/* ---- trucks ---- */

struct truck {
  double latitude, longitude, elevation, velocity, heading, grade, fuel_consumption;
  double fuel_state, load;
  int status, model, fleet, driver, version;
  int rest; /* steps until it drives on, or, negative, until it rests */
};
static const struct {
  const char *name;
  double load_capacity, fuel_capacity, nominal_fuel;
} models[] = {{"F-150", 2000, 200, 15}, {"G-2000", 5000, 300, 19}, {"H-2", 1500, 150, 12}};

static double within(double value, double least, double most) {
  return value < least ? least : value > most ? most : value;
}

/* Ten seconds of a truck's life: hours of driving, half hours of rest. */
static void drive(struct truck *truck) {
  if (truck->rest == 0)
    truck->rest = truck->velocity > 0 ? 60 + (int)(next_random() % 240)
                                      : -(360 + (int)(next_random() % 1800));
  bool moves = truck->rest < 0;
  truck->rest += moves ? 1 : -1;
  truck->velocity = moves ? within(truck->velocity + 5 * normal(), 1, 100) : 0;
  truck->heading = within(truck->heading + normal(), 0, 359);
  truck->latitude = within(truck->latitude + truck->velocity * 1e-5 * normal(), -90, 90);
  truck->longitude = within(truck->longitude + truck->velocity * 1e-5 * normal(), -180, 180);
  truck->elevation = within(truck->elevation + normal(), 0, 5000);
  truck->grade = within(truck->grade + normal(), 0, 100);
  truck->fuel_consumption =
      moves ? within(truck->fuel_consumption + normal(), 0, 50) : within(normal(), 0, 1);
  truck->fuel_state -= moves ? 0.0002 : 0;
  if (truck->fuel_state < 0.02) truck->fuel_state = 1;
  if (truck->rest == 0) truck->load = uniform() * models[truck->model].load_capacity;
  if (next_random() % 2000 == 0) truck->status = (int)(next_random() % 2);
}

static void put_truck(struct bodies *bodies, const struct options *options, const char *name,
                      int number, const struct truck *truck, int64_t time) {
  static const char *const fleets[] = {"East", "West", "North", "South"};
  static const char *const drivers[] = {"Derek", "Rodney", "Albert", "Andy", "Seth", "Trish"};
  static const char *const versions[] = {"v1.0", "v1.5", "v2.0", "v2.3"};
  put(bodies, "%s,name=truck_%d,fleet=%s,driver=%s,model=%s,device_version=%s ", name, number,
      fleets[truck->fleet], drivers[truck->driver], models[truck->model].name,
      versions[truck->version]);
  if (name[0] == 'r')
    put(bodies,
        "latitude=%.5f,longitude=%.5f,elevation=%.0f,velocity=%.0f,heading=%.0f,grade=%.0f,"
        "fuel_consumption=%.1f",
        truck->latitude, truck->longitude, truck->elevation, truck->velocity, truck->heading,
        truck->grade, truck->fuel_consumption);
  else
    put(bodies, "fuel_state=%.1f,current_load=%.0f,status=%di", truck->fuel_state, truck->load,
        truck->status);
  put(bodies, ",load_capacity=%.0f,fuel_capacity=%.0f,nominal_fuel_consumption=%.0f",
      models[truck->model].load_capacity, models[truck->model].fuel_capacity,
      models[truck->model].nominal_fuel);
  end_row(bodies, options, time);
}

static void make_iot(struct bodies *bodies, const struct options *options) {
  struct truck *trucks = check(calloc((size_t)options->hosts, sizeof *trucks));
  for (int i = 0; i < options->hosts; i++) {
    trucks[i] = (struct truck){.latitude = 180 * uniform() - 90,
                               .longitude = 360 * uniform() - 180,
                               .elevation = 5000 * uniform(),
                               .heading = 360 * uniform(),
                               .grade = 100 * uniform(),
                               .fuel_consumption = 20,
                               .fuel_state = uniform(),
                               .model = (int)(next_random() % 3),
                               .fleet = (int)(next_random() % 4),
                               .driver = (int)(next_random() % 6),
                               .version = (int)(next_random() % 4),
                               .rest = -(int)(next_random() % 1800)};
    trucks[i].load = uniform() * models[trucks[i].model].load_capacity;
  }
  for (int step = 0; step < options->steps; step++)
    for (int i = 0; i < options->hosts; i++) {
      int64_t time = (START_S + 10 * (int64_t)step) * 1000000000;
      drive(&trucks[i]);
      if (next_random() % 100 == 0) continue; /* nothing sent */
      put_truck(bodies, options, "readings", i, &trucks[i], time);
      put_truck(bodies, options, "diagnostics", i, &trucks[i], time);
    }
  free(trucks);
}

/* ---- sending ---- */

struct run {
  const struct options *options;
  const struct bodies *bodies;
  _Atomic size_t next;
  double deadline;
};
struct sender {
  struct run *run;
  pthread_t thread;
  double *latencies;
  size_t sent;
  uint64_t rows, bytes, refused;
  char error[256];
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int connect_to(const struct options *options) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, options->host, &address.sin_addr);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static bool send_all(int fd, const char *bytes, size_t size) {
  while (size) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}

/* Reads one answer with its body; the status, or -1. */
static int read_answer(int fd, char *text, size_t room) {
  size_t size = 0;
  char *end = NULL;
  while (!end && size + 1 < room) {
    ssize_t got = recv(fd, text + size, room - 1 - size, 0);
    if (got <= 0) return -1;
    text[size += (size_t)got] = 0;
    end = strstr(text, "\r\n\r\n");
  }
  if (!end || strncmp(text, "HTTP/1.1 ", 9)) return -1;
  const char *length = strcasestr(text, "content-length:");
  size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0,
         have = size - (size_t)(end + 4 - text);
  while (have < body) {
    char rest[4096];
    ssize_t got = recv(fd, rest, sizeof rest, 0);
    if (got <= 0) return -1;
    have += (size_t)got;
  }
  return (int)strtol(text + 9, NULL, 10);
}

static void *send_bodies(void *context) {
  struct sender *sender = context;
  struct run *run = sender->run;
  const struct options *options = run->options;
  int fd = connect_to(options);
  char head[512], answer[16384];
  while (fd >= 0) {
    size_t number = __atomic_fetch_add((size_t *)&run->next, 1, __ATOMIC_RELAXED);
    double started = now();
    if (number >= run->bodies->count || started > run->deadline) break;
    const struct body *body = &run->bodies->list[number];
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n",
                        options->path, body->size);
    int status = -1;
    /* Small bodies go out with their head, as clients send them. */
    if (body->size < 16384) {
      char both[512 + 16384];
      memcpy(both, head, (size_t)size);
      memcpy(both + size, body->bytes, body->size);
      if (send_all(fd, both, (size_t)size + body->size))
        status = read_answer(fd, answer, sizeof answer);
    } else if (send_all(fd, head, (size_t)size) && send_all(fd, body->bytes, body->size)) {
      status = read_answer(fd, answer, sizeof answer);
    }
    if (status < 0) {
      snprintf(sender->error, sizeof sender->error, "connection lost");
      break;
    }
    if (status != 204) {
      sender->refused++;
      snprintf(sender->error, sizeof sender->error, "status %d", status);
      continue;
    }
    sender->latencies[sender->sent++] = now() - started;
    sender->rows += body->rows;
    sender->bytes += body->size;
  }
  if (fd < 0) snprintf(sender->error, sizeof sender->error, "cannot connect");
  if (fd >= 0) close(fd);
  return NULL;
}

static int double_order(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int send_all_bodies(const struct options *options, const struct bodies *bodies) {
  static struct sender senders[CONNECTIONS_MAX];
  struct run run = {.options = options, .bodies = bodies};
  double *latencies = check(malloc((bodies->count + 1) * sizeof *latencies));
  for (int c = 0; c < options->connections; c++)
    senders[c] = (struct sender){.run = &run,
                                 .latencies = check(malloc((bodies->count + 1) * sizeof(double)))};
  double started = now();
  run.deadline = started + options->seconds_max;
  for (int c = 0; c < options->connections; c++)
    if (pthread_create(&senders[c].thread, NULL, send_bodies, &senders[c])) return 1;
  size_t sent = 0;
  uint64_t rows = 0, bytes = 0, refused = 0;
  const char *error = "";
  for (int c = 0; c < options->connections; c++) {
    pthread_join(senders[c].thread, NULL);
    memcpy(latencies + sent, senders[c].latencies, senders[c].sent * sizeof *latencies);
    sent += senders[c].sent;
    rows += senders[c].rows;
    bytes += senders[c].bytes;
    refused += senders[c].refused;
    if (senders[c].error[0]) error = senders[c].error;
  }
  double seconds = now() - started;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  qsort(latencies, sent, sizeof *latencies, double_order);
  printf("{\"rows\":%llu,\"bytes\":%llu,\"bodies\":%zu,\"seconds\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":"
         "%.3f,\"refused\":%llu,"
         "\"error\":\"%s\"}\n",
         (unsigned long long)rows, (unsigned long long)bytes, sent, seconds,
         sent ? latencies[sent / 2] * 1e3 : 0, sent ? latencies[sent * 99 / 100] * 1e3 : 0,
         (unsigned long long)refused, error);
  return sent == 0;
}

/* ---- arguments ---- */

static const char *argument(int argc, char **argv, const char *name, const char *fallback) {
  size_t size = strlen(name);
  for (int i = 1; i < argc; i++)
    if (!strncmp(argv[i], "--", 2) && !strncmp(argv[i] + 2, name, size) && argv[i][2 + size] == '=')
      return argv[i] + 3 + size;
  return fallback;
}
static int number(int argc, char **argv, const char *name, const char *fallback) {
  return (int)strtol(argument(argc, argv, name, fallback), NULL, 10);
}

int main(int argc, char **argv) {
  struct options options = {.host = argument(argc, argv, "host", "127.0.0.1"),
                            .path = argument(argc, argv, "path", "/write?db=bench"),
                            .set = argument(argc, argv, "set", "cpu"),
                            .variant = argument(argc, argv, "variant", "A"),
                            .port = number(argc, argv, "port", "8086"),
                            .hosts = number(argc, argv, "hosts", "100"),
                            .metrics = number(argc, argv, "metrics", "100"),
                            .steps = number(argc, argv, "steps", "100"),
                            .body_rows = number(argc, argv, "body", "10000"),
                            .connections = number(argc, argv, "connections", "2"),
                            .late_percent = number(argc, argv, "late", "0"),
                            .seconds_max = strtod(argument(argc, argv, "seconds", "600"), NULL)};
  if (options.connections < 1 || options.connections > CONNECTIONS_MAX || options.body_rows < 1) {
    fputs("load: --connections 1..64, --body at least 1\n", stderr);
    return 2;
  }
  struct bodies bodies = {0};
  if (!strcmp(options.set, "cpu"))
    make_cpu(&bodies, &options);
  else if (!strcmp(options.set, "iot"))
    make_iot(&bodies, &options);
  else if (!strcmp(options.set, "mixed"))
    make_mixed(&bodies, &options);
  else if (!strcmp(options.set, "tables"))
    make_tables(&bodies, &options);
  else
    make_series(&bodies, &options);
  end_body(&bodies);
  const char *dump = argument(argc, argv, "dump", NULL);
  if (dump) {
    FILE *file = fopen(dump, "w");
    for (size_t b = 0; file && b < bodies.count; b++)
      fwrite(bodies.list[b].bytes, 1, bodies.list[b].size, file);
    return !file || fclose(file) ? 1 : 0;
  }
  return send_all_bodies(&options, &bodies);
}
