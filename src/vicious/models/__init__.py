"""The target model F (a WideResNet), the attack model G (its mirror image), and their files."""
