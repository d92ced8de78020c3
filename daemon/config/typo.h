/* SPDX-License-Identifier: BSD-2-Clause */
/* What was probably meant by a word that is not known. */
#ifndef VIADUCT_CONFIG_TYPO_H
#define VIADUCT_CONFIG_TYPO_H

#define TYPO_DISTANCE_MAX 2
#define TYPO_LENGTH_MAX   32

/* Levenshtein's distance; TYPO_LENGTH_MAX where a text has that many bytes or more. */
unsigned typo_distance(const char *a, const char *b);

#endif
