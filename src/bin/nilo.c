/* The `nilo` program. */
#include "cli/cli.h"

int main(int argc, char **argv, char **environment) { return cli_main(argc, argv, environment); }
