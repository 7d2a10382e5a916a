SELECT `auth_user`.`id`, `auth_user`.`username` FROM `auth_user` WHERE `auth_user`.`id` = 5 LIMIT 21
SELECT `auth_user`.`id`, `auth_user`.`username` FROM `auth_user` WHERE `auth_user`.`username` = 'ada' LIMIT 21
SELECT 1 AS `a` FROM `shop_order` WHERE `shop_order`.`status` = 1 LIMIT 1
SELECT COUNT(*) AS `__count` FROM `shop_order` WHERE `shop_order`.`status` = 1
SELECT `shop_order`.`id` FROM `shop_order` ORDER BY `shop_order`.`id` ASC LIMIT 1
SELECT `shop_order`.`id` FROM `shop_order` ORDER BY `shop_order`.`id` DESC LIMIT 100
SELECT `shop_order`.`id` FROM `shop_order` ORDER BY `shop_order`.`id` DESC LIMIT 100 OFFSET 200
SELECT `o`.`id`, `c`.`name` FROM `shop_order` `o` INNER JOIN `shop_customer` `c` ON (`o`.`customer_id` = `c`.`id`) WHERE `c`.`country` = 'de'
SELECT `o`.`id` FROM `shop_order` `o` LEFT OUTER JOIN `shop_coupon` `p` ON (`o`.`coupon_id` = `p`.`id`) WHERE `p`.`id` IS NULL
SELECT `shop_item`.`id`, `shop_item`.`order_id` FROM `shop_item` WHERE `shop_item`.`order_id` IN (1, 2, 3)
SELECT (`m`.`order_id`) AS `_prefetch_related_val_order_id`, `t`.`id` FROM `tag` `t` INNER JOIN `m` ON (`t`.`id` = `m`.`tag_id`) WHERE `m`.`order_id` IN (1, 2)
SELECT SUM(`shop_order`.`total`) AS `total__sum` FROM `shop_order`
SELECT `shop_order`.`status`, COUNT(`shop_order`.`id`) AS `n` FROM `shop_order` GROUP BY `shop_order`.`status` ORDER BY NULL
SELECT `shop_order`.`status`, COUNT(`shop_order`.`id`) AS `n` FROM `shop_order` GROUP BY 1 HAVING COUNT(`shop_order`.`id`) > 5
SELECT COUNT(*) FROM (SELECT DISTINCT `shop_order`.`customer_id` AS `col1` FROM `shop_order`) subquery
INSERT INTO `shop_order` (`customer_id`, `status`) VALUES (1, 2)
INSERT INTO `shop_order` (`customer_id`, `status`) VALUES (1, 2), (2, 3)
INSERT IGNORE INTO `m` (`order_id`, `tag_id`) VALUES (1, 2)
INSERT INTO `s` (`k`, `v`) VALUES ('a', 'b') ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)
UPDATE `shop_order` SET `status` = 3 WHERE `shop_order`.`id` = 5
UPDATE `shop_order` SET `n` = (`shop_order`.`n` + 1) WHERE `shop_order`.`id` IN (1, 2)
DELETE FROM `shop_order` WHERE `shop_order`.`id` IN (5)
DELETE FROM `django_session` WHERE `django_session`.`expire_date` < '2024-01-01 00:00:00'
SELECT `s`.`session_key`, `s`.`session_data` FROM `django_session` `s` WHERE (`s`.`expire_date` > '2024-01-01' AND `s`.`session_key` = 'x') LIMIT 21
SELECT `o`.`id` FROM `shop_order` `o` WHERE EXISTS(SELECT 1 AS `a` FROM `shop_item` U0 WHERE U0.`order_id` = (`o`.`id`) LIMIT 1)
SELECT `o`.`id` FROM `shop_order` `o` WHERE NOT (`o`.`status` = 3)
SELECT `o`.`id` FROM `shop_order` `o` WHERE `o`.`customer_id` IN (SELECT U0.`id` FROM `shop_customer` U0 WHERE U0.`country` = 'de')
SELECT `o`.`id` FROM `shop_order` `o` WHERE `o`.`placed` >= '2024-01-01 00:00:00' AND `o`.`placed` < '2025-01-01 00:00:00' ORDER BY `o`.`placed` DESC
SELECT `o`.`id` FROM `shop_order` `o` WHERE `o`.`placed` BETWEEN '2024-01-01' AND '2024-12-31'
SELECT `o`.`id` FROM `shop_order` `o` WHERE `o`.`note` LIKE BINARY 'abc%'
SELECT `o`.`id` FROM `shop_order` `o` WHERE `o`.`id` = 5 FOR UPDATE
SELECT `j`.`id` FROM `job` `j` WHERE `j`.`state` = 0 ORDER BY `j`.`id` ASC LIMIT 10 FOR UPDATE SKIP LOCKED
SELECT CASE WHEN `o`.`status` = 1 THEN 'a' ELSE 'b' END AS `label` FROM `shop_order` `o` WHERE `o`.`id` = 5
SELECT `o`.`id`, ROW_NUMBER() OVER (PARTITION BY `o`.`customer_id` ORDER BY `o`.`placed`) AS `n` FROM `shop_order` `o` WHERE `o`.`id` < 50
(SELECT `a`.`id` FROM `a` WHERE `a`.`x` = 1) UNION (SELECT `b`.`id` FROM `b` WHERE `b`.`x` = 2)
