/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of response codes and causes of one peer: part of config.h. */
#ifndef VIADUCT_CONFIG_CODES_H
#define VIADUCT_CONFIG_CODES_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_CODES_MAX 64

/* A refusal that fits becomes another. */
struct code_rule {
	uint16_t code_min, code_max; /* received; inclusive */
	uint8_t cause;               /* Q.850, received in Reason; 0 = any or none */
	uint16_t to;
	char *reason; /* phrase, NULL = the standard one */
};

struct codes_config {
	struct code_rule *rule; /* the first that fits is applied */
	unsigned rule_count;
	bool write_cause;     /* what we end its calls with names a Q.850 cause */
	bool translate_cause; /* what no rule fits becomes the code of its cause (RFC 3398) */
};

#endif
