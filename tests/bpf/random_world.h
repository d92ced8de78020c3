/* SPDX-License-Identifier: BSD-2-Clause */
/* Random tables and random packets, many of them broken, for those tests that hold the program
 * against the model: the lab's maps and the model's are made the same. */
#ifndef VIADUCT_TESTS_RANDOM_WORLD_H
#define VIADUCT_TESTS_RANDOM_WORLD_H

#include "model.h"

#define RANDOM_FLOWS 12 /* of them some are reached by no port, as rtcp_flow alone */

struct random_world {
	struct lab *lab;
	struct model model;
	bool apart; /* each flow counts in another element than its own */
	/* On a wire: each sender has one MAC address, as how often others are told is time's to
	 * say. */
	bool one_mac;
	/* The same: packets of most flows wait for others, and all leave by one device; none is so
	 * long that it would overtake one of the same flow. */
	bool waits;
	uint16_t seq[RANDOM_FLOWS];
	uint32_t ssrc[RANDOM_FLOWS];
};

void random_seed(uint64_t seed);
/* A number from the environment, by its name. */
unsigned long random_from_environment(const char *name, unsigned long otherwise);
/* Other tables, all counters 0. */
void random_world_make(struct random_world *w);
/* *side: by which device it comes in. Returns its length, 14 to FRAME_MAX. */
size_t random_world_packet(struct random_world *w, uint8_t *data, unsigned *side);
/* Whether that came out which should; checksums that have to be wrong are then what they are. */
bool random_same_bytes(struct model_answer *a, const uint8_t *got, size_t len);
void random_dump(const char *what, const uint8_t *data, size_t len);

#endif
